package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
)

// defaultSpeaker is where the speaker process listens unless it is told
// otherwise.
const defaultSpeaker = "unix:/run/bgp-ovn/speaker.sock"

func (c *cli) speakerCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "speaker", Short: "hold the BGP sessions, for a controller that may restart", Args: cobra.NoArgs,
		Long: `speaker is a process that does nothing but BGP. The controller, with bgp.speaker
set to its socket, tells it what to announce to whom; while the controller
restarts or is replaced by another version, the sessions stay up.

Told to end (SIGTERM) it closes its sessions without a word: peers that support
graceful restart keep our routes until it is back. The socket has mode 0660:
whoever may open it decides what this node announces.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			if listen == "" {
				listen = cfg.BGP.Speaker
			}
			if listen == "" {
				listen = defaultSpeaker
			}
			return c.serveSpeaker(cmd.Context(), cfg, listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "socket to listen on (default: bgp.speaker, or "+defaultSpeaker+")")
	return cmd
}

func (c *cli) serveSpeaker(ctx context.Context, cfg *Config, listen string) error {
	log := c.logger(cfg)
	err := bgp.Serve(ctx, listen, log, func() {
		log.Info("speaker runs", "version", versionText(), "socket", listen)
		notify(c, daemon.SdNotifyReady)
	})
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	notify(c, daemon.SdNotifyStopping)
	return nil
}

// speakerConfig is who our speaker is, in this process or another one.
func (a *app) speakerConfig(id netip.Addr, w wiring) bgp.Config {
	conf := bgp.Config{
		Socket: a.cfg.BGP.Speaker, Attach: w.attach,
		AS: a.cfg.BGP.AS, RouterID: id, ListenPort: int32(a.cfg.BGP.Listen.Port),
		Deferral: time.Duration(a.cfg.BGP.GracefulRestart.DeferralTime) * time.Second, Logger: a.log,
		OnPeer: func(e bgp.PeerEvent) {
			if w.peers != nil {
				w.peers(a, e)
			}
		},
	}
	if addr := a.cfg.BGP.Listen.Address; addr != "" {
		conf.Listen = []netip.Addr{netip.MustParseAddr(addr)} // validated
	}
	return conf
}

// newSpeaker starts a speaker, or connects to the one that there is.
func (a *app) newSpeaker(conf bgp.Config) (*bgp.Backend, error) {
	if conf.Socket != "" {
		speaker, err := bgp.Dial(conf)
		if err != nil {
			return nil, fmt.Errorf("bgp.speaker: %w", err)
		}
		return speaker, nil
	}
	speaker, err := bgp.New(conf)
	if err != nil {
		return nil, fmt.Errorf("start the BGP speaker: %w; if the port is taken, stop the other speaker or set bgp.listen.port", err)
	}
	return speaker, nil
}
