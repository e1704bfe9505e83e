// In-memory-infrastructure is Cluster API's own "Dev" infrastructure provider (in-memory backend) with a cloud that outlives
// it: for tests only. Upstream's manager holds cloud and controllers in one process, so that after `clusterctl move` the
// controllers of the other management cluster would know nothing of the machines.
//
//	in-memory-infrastructure cloud --socket S ...     the cloud, one for all management clusters
//	in-memory-infrastructure --webhook-port P ...     the provider of one management cluster, as its Deployment starts it
//	in-memory-infrastructure boot --kubeconfig K      boots the machines that another provider makes for a management cluster
//
// A provider hands what it was started with to the cloud, over the socket that IN_MEMORY_CLOUD names; its controllers run in
// there for as long as the provider lives. It may be killed and started again like any other.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	run, arguments := runProvider, os.Args[1:]
	if len(arguments) > 0 && arguments[0] == "cloud" {
		run, arguments = runCloud, arguments[1:]
	} else if len(arguments) > 0 && arguments[0] == "boot" {
		run, arguments = runBoot, arguments[1:]
	}
	if err := run(ctx, arguments); err != nil {
		fmt.Fprintf(os.Stderr, "in-memory-infrastructure: %v\n", err)
		os.Exit(1)
	}
}
