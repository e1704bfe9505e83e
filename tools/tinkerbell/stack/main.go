// Tinkerbell-stack is what clusters need of Tinkerbell 0.25.0 in one process, as in its release: rufio (BMCs), the workflow
// controller and the workflow server. What serves DHCP, TFTP and metadata is not here: no test has a machine that boots.
// For tests only, see ../quamina. The API server is the one that KUBECONFIG names.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tinkerbell/tinkerbell/pkg/backend/kube"
	"github.com/tinkerbell/tinkerbell/rufio"
	"github.com/tinkerbell/tinkerbell/tink/controller"
	"github.com/tinkerbell/tinkerbell/tink/server"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Tinkerbell's own defaults.
const (
	bmcConnectTimeout  = 2 * time.Minute
	powerCheckInterval = 30 * time.Minute
	requestsPerSecond  = 100
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "tinkerbell-stack: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("tinkerbell-stack", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:42113", "address and port of the workflow server (gRPC, no TLS)")
	parallel := flags.Int("parallel", 1, "how many objects of a kind are worked on at a time")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	address, err := netip.ParseAddrPort(*listen)
	if err != nil {
		return err
	}
	log := klog.Background()
	ctrl.SetLogger(log)
	backend, err := kube.NewBackend(kube.Backend{
		ConfigFilePath: os.Getenv("KUBECONFIG"),
		Indexes: map[kube.IndexType]kube.Index{
			kube.IndexTypeWorkflowAgentID: kube.Indexes[kube.IndexTypeWorkflowAgentID],
			kube.IndexTypeHardwareAgentID: kube.Indexes[kube.IndexTypeHardwareAgentID],
			kube.IndexTypeMACAddr:         kube.Indexes[kube.IndexTypeMACAddr],
		},
		QPS:   requestsPerSecond,
		Burst: requestsPerSecond,
	})
	if err != nil {
		return err
	}
	bmcs := rufio.NewConfig(
		rufio.WithClient(backend.ClientConfig),
		rufio.WithEnableLeaderElection(false),
		rufio.WithBmcConnectTimeout(bmcConnectTimeout),
		rufio.WithPowerCheckInterval(powerCheckInterval),
	)
	bmcs.MaxConcurrentReconciles = *parallel
	workflows := controller.NewConfig(
		controller.WithClient(backend.ClientConfig),
		controller.WithDynamicClient(backend),
		controller.WithEnableLeaderElection(false),
	)
	workflows.MaxConcurrentReconciles = *parallel
	agents := server.NewConfig(server.WithBindAddrPort(address))
	agents.SetBackends(backend)

	ended := make(chan error)
	for name, start := range map[string]func() error{
		"backend":    func() error { return backend.Start(ctx) },
		"rufio":      func() error { return bmcs.Start(ctx, log.WithName("rufio")) },
		"controller": func() error { return workflows.Start(ctx, log.WithName("tink-controller")) },
		"server":     func() error { return agents.Start(ctx, log.WithName("tink-server")) },
	} {
		go func() {
			if err := start(); err != nil {
				ended <- fmt.Errorf("%s: %w", name, err)
				return
			}
			ended <- fmt.Errorf("%s ended", name)
		}()
	}
	return <-ended
}
