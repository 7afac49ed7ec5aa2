//go:build man

package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// scripts/packages builds a program with this tag to write the manual pages: the one that
// is installed does without the library for them.
func init() {
	extra = func(root *cobra.Command) {
		root.AddCommand(&cobra.Command{
			Use: "man DIRECTORY SECONDS", Hidden: true, Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error {
				seconds, err := strconv.ParseInt(args[1], 10, 64)
				if err != nil {
					return err
				}
				date := time.Unix(seconds, 0).UTC()
				root.DisableAutoGenTag = true
				return doc.GenManTree(root, &doc.GenManHeader{
					Section: "1", Source: versionText(), Manual: "bgp-ovn", Date: &date,
				}, args[0])
			},
		})
	}
}
