package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// managerSettings is all that one management cluster's controllers need; the first thing a provider says to the cloud.
type managerSettings struct {
	Kubeconfig         string
	DiagnosticsAddress string
	HealthAddress      string
	WebhookPort        int
	WebhookCertDir     string
	FeatureGates       string
	// instead of the provider's controllers: see boot.go
	Boots bool
}

// runProvider asks the cloud to run the controllers, and waits: until it is told to end, or the cloud is gone.
func runProvider(ctx context.Context, arguments []string) error {
	settings := managerSettings{Kubeconfig: os.Getenv("KUBECONFIG")}
	flags := flag.NewFlagSet("provider", flag.ContinueOnError)
	flags.StringVar(&settings.DiagnosticsAddress, "diagnostics-address", ":8443", "metrics, over plain HTTP")
	flags.StringVar(&settings.HealthAddress, "health-addr", ":9440", "/readyz and /healthz")
	flags.IntVar(&settings.WebhookPort, "webhook-port", 9443, "")
	flags.StringVar(&settings.WebhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "folder with tls.crt and tls.key")
	flags.StringVar(&settings.FeatureGates, "feature-gates", "", "those of the first provider hold for all")
	flags.Bool("leader-elect", false, "accepted: there is only one")
	flags.Bool("insecure-diagnostics", true, "accepted")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return runInCloud(ctx, settings)
}

// runBoot boots the machines that other providers make for a management cluster, which need not be there yet.
func runBoot(ctx context.Context, arguments []string) error {
	settings := managerSettings{Boots: true}
	flags := flag.NewFlagSet("boot", flag.ContinueOnError)
	flags.StringVar(&settings.Kubeconfig, "kubeconfig", "", "of the management cluster, absolute")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := runInCloud(ctx, settings); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(bootEvery):
		}
	}
	return nil
}

func runInCloud(ctx context.Context, settings managerSettings) error {
	connection, err := net.Dial("unix", os.Getenv("IN_MEMORY_CLOUD"))
	if err != nil {
		return fmt.Errorf("IN_MEMORY_CLOUD must name the socket of a running cloud: %w", err)
	}
	defer connection.Close()
	context.AfterFunc(ctx, func() { connection.Close() })
	if err := json.NewEncoder(connection).Encode(settings); err != nil {
		return err
	}
	answer, err := io.ReadAll(connection)
	if ctx.Err() != nil {
		return nil
	}
	if len(answer) > 0 {
		return errors.New(string(answer))
	}
	return fmt.Errorf("the cloud ended: %v", err)
}
