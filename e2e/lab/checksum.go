package lab

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtoolValue is struct ethtool_value of linux/ethtool.h.
type ethtoolValue struct {
	cmd, _ uint32 // the second is the data, 0 for off
}

// ethtoolRequest is struct ifreq of linux/if.h with a pointer as its union.
type ethtoolRequest struct {
	name [unix.IFNAMSIZ]byte
	data *ethtoolValue
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// disableChecksumOffload is "ethtool -K DEV tx off" in the thread's namespace;
// segmentation offload goes with it.
func disableChecksumOffload(dev string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := &ethtoolValue{cmd: unix.ETHTOOL_STXCSUM}
	request := &ethtoolRequest{data: value}
	copy(request.name[:unix.IFNAMSIZ-1], dev)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(request)))
	runtime.KeepAlive(value)
	if errno != 0 {
		return fmt.Errorf("switch checksum offload of %s off: %w", dev, errno)
	}
	return nil
}
