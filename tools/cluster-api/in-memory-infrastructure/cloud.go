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
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"sigs.k8s.io/cluster-api/feature"
	cloudv1 "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/cloud/api/v1alpha1"
	inmemoryruntime "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/runtime"
	inmemoryserver "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server"
)

// cloud holds the machines, and the imitations of their clusters' API servers and etcd.
type cloud struct {
	machines   inmemoryruntime.Manager
	apiServers *inmemoryserver.WorkloadClustersMux
	gates      sync.Once
	// of clusters whose endpoint their specification chooses
	endpoints endpoints
}

func runCloud(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("cloud", flag.ContinueOnError)
	socket := flags.String("socket", "", "where providers report")
	host := flags.String("host", "127.0.0.1", "address in the endpoints of workload clusters")
	ports := flags.String("ports", "20000-20999", "ports of workload clusters' API servers; all must be free")
	debugPort := flags.Int("debug-port", 19000, "of upstream's debug server")
	forwards := flags.String("forwards", "", "folder with NAMESPACE.CLUSTER.json, see forward.go")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ctrl.SetLogger(klog.Background())
	world, err := newCloud(ctx, *host, *ports, int32(*debugPort))
	if err != nil {
		return err
	}
	forwardToRealServers(world.apiServers, *forwards)
	if err := os.Remove(*socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	for {
		connection, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go world.serve(ctx, connection)
	}
}

func newCloud(ctx context.Context, host, ports string, debugPort int32) (*cloud, error) {
	custom := inmemoryserver.CustomPorts{DebugPort: debugPort}
	if _, err := fmt.Sscanf(ports, "%d-%d", &custom.MinPort, &custom.MaxPort); err != nil {
		return nil, fmt.Errorf("--ports %s: %w", ports, err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		cloudv1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, rbacv1.AddToScheme,
		storagev1.AddToScheme, apiextensionsv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	machines := inmemoryruntime.NewManager(scheme)
	if err := machines.Start(ctx); err != nil {
		return nil, err
	}
	apiServers, err := inmemoryserver.NewWorkloadClustersMux(machines, host, custom)
	return &cloud{machines: machines, apiServers: apiServers}, err
}

// serve runs one management cluster's controllers until their provider hangs up; what went wrong is the answer.
func (c *cloud) serve(ctx context.Context, connection net.Conn) {
	defer connection.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var settings managerSettings
	if err := json.NewDecoder(connection).Decode(&settings); err != nil {
		fmt.Fprintf(connection, "unreadable settings: %v", err)
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, connection)
		cancel()
	}()
	// the gates belong to the process, and webhooks read them at any time
	if !settings.Boots {
		c.gates.Do(func() {
			if err := feature.MutableGates.Set(settings.FeatureGates); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	manager, err := managerFor(ctx, settings, c)
	if err == nil {
		err = manager.Start(ctx)
	}
	if err != nil {
		fmt.Fprint(connection, err)
	}
}

func managerFor(ctx context.Context, settings managerSettings, world *cloud) (ctrl.Manager, error) {
	if settings.Boots {
		return newBootManager(settings, world)
	}
	return newManager(ctx, settings, world)
}
