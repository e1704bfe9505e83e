// Vcsim is govmomi's vCenter simulator over TLS with a real login, for tests only: one datacenter with one cluster, two of its
// hosts, one datastore, and no machines but those that a test makes, which get an address when they are powered on. Upstream's own main has been a module without versions
// since govmomi 0.47, so `go install` cannot make it.
//
//	VCSIM_USERNAME=... VCSIM_PASSWORD=... vcsim --listen HOST:PORT --cert FILE --key FILE
//
// The user is one without a domain; clients log in as USER@vsphere.local.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/vmware/govmomi/simulator"

	_ "github.com/vmware/govmomi/lookup/simulator"
	_ "github.com/vmware/govmomi/pbm/simulator"
	_ "github.com/vmware/govmomi/ssoadmin/simulator"
	_ "github.com/vmware/govmomi/sts/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "vcsim: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("vcsim", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	cert := flags.String("cert", "", "PEM file with the certificate")
	key := flags.String("key", "", "PEM file with the key")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		return err
	}
	model := simulator.VPX()
	model.Host = 0
	model.ClusterHost = 2
	model.Pool = 1
	model.Machine = 0
	defer model.Remove()
	if err := model.Create(); err != nil {
		return err
	}
	model.Map().AddHandler(&dhcp{})
	model.Service.RegisterEndpoints = true
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{
		Host: *listen,
		User: url.UserPassword(os.Getenv("VCSIM_USERNAME"), os.Getenv("VCSIM_PASSWORD")),
	}
	server := model.Service.NewServer()
	defer server.Close()
	fmt.Printf("listening on %s\n", server.URL.Host)
	<-ctx.Done()
	return nil
}
