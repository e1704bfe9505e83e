package main

import (
	"context"
	"net"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/external"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/cluster-api/util/annotations"
)

// bootEvery is how often a machine is looked at that is still to come up, or to go.
const bootEvery = time.Second

// withoutCoreDNS keeps KubeadmControlPlane away from CoreDNS: an imitated API server refuses the second of two changes to its
// ConfigMap, for ever (Cluster API 1.14.0).
const withoutCoreDNS = "controlplane.cluster.x-k8s.io/skip-coredns"

// boot does what kubeadm does on machines of infrastructures that have a simulator, but nothing that runs on their machines:
// as soon as an infrastructure provider has put a machine there, it appears as a node of its cluster, with etcd and an API
// server if it is one of the control plane. Which infrastructure that is does not matter: it goes by `spec.providerID` of the
// Machine, which Cluster API sets when the provider says that the machine is provisioned.
//
// Upstream has the same for vSphere alone (vcsim-controller): a program of 116 MB that listens on fixed ports of all
// addresses, whose imitations end with it, and which knows no forwards to real API servers.
type boot struct {
	client.Client
	world *cloud
}

// newBootManager watches the Machines of one management cluster.
func newBootManager(settings managerSettings, world *cloud) (ctrl.Manager, error) {
	kubeconfig, err := clientcmd.BuildConfigFromFlags("", settings.Kubeconfig)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, clusterv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	sameNames := true
	manager, err := ctrl.NewManager(kubeconfig, ctrl.Options{
		Scheme:                 scheme,
		Controller:             config.Controller{SkipNameValidation: &sameNames, CacheSyncTimeout: 10 * bootEvery},
		HealthProbeBindAddress: "0",
		Metrics:                metricsserver.Options{BindAddress: "0"},
		Client:                 client.Options{Cache: &client.CacheOptions{DisableFor: uncached()}},
	})
	if err != nil {
		return nil, err
	}
	reconciler := &boot{Client: manager.GetClient(), world: world}
	// one at a time: who is the first member of an etcd must not be a race
	return manager, ctrl.NewControllerManagedBy(manager).For(&clusterv1.Machine{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).Complete(reconciler)
}

// Reconcile leaves alone what is paused: of a cluster that is moved, the Machines vanish, but not the machines.
func (b *boot) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	again := ctrl.Result{RequeueAfter: bootEvery}
	machine := &clusterv1.Machine{}
	if err := b.Get(ctx, request.NamespacedName, machine); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if machine.Spec.InfrastructureRef.Kind == "DevMachine" {
		return ctrl.Result{}, nil
	}
	cluster, err := util.GetClusterFromMetadata(ctx, b.Client, machine.ObjectMeta)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if annotations.IsPaused(cluster, machine) {
		return again, nil
	}
	if !machine.DeletionTimestamp.IsZero() {
		leaving, err := b.isLeaving(ctx, machine)
		if err != nil || !leaving {
			return again, err
		}
		return ctrl.Result{}, b.world.removeMachine(ctx, cluster, machine)
	}
	if machine.Spec.ProviderID == "" || !cluster.Spec.ControlPlaneEndpoint.IsValid() {
		return again, nil
	}
	if err := b.leaveCoreDNS(ctx, cluster); err != nil {
		return ctrl.Result{}, err
	}
	if err := b.world.ensureCluster(ctx, cluster); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, b.world.ensureMachine(ctx, b.Client, cluster, machine)
}

// isLeaving says whether the infrastructure is removing a machine, or has done so.
func (b *boot) isLeaving(ctx context.Context, machine *clusterv1.Machine) (bool, error) {
	object, err := external.GetObjectFromContractVersionedRef(ctx, b.Client, machine.Spec.InfrastructureRef, machine.Namespace)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && !object.GetDeletionTimestamp().IsZero(), err
}

func (b *boot) leaveCoreDNS(ctx context.Context, cluster *clusterv1.Cluster) error {
	object, err := external.GetObjectFromContractVersionedRef(ctx, b.Client, cluster.Spec.ControlPlaneRef, cluster.Namespace)
	if err != nil || object.GetAnnotations()[withoutCoreDNS] != "" {
		return err
	}
	change := &unstructured.Unstructured{}
	change.SetGroupVersionKind(object.GroupVersionKind())
	change.SetNamespace(object.GetNamespace())
	change.SetName(object.GetName())
	before := change.DeepCopy()
	change.SetAnnotations(map[string]string{withoutCoreDNS: "true"})
	return b.Patch(ctx, change, client.MergeFrom(before))
}

// ensureCluster makes the place for a cluster's nodes, and an API server that answers at its endpoint.
func (c *cloud) ensureCluster(ctx context.Context, cluster *clusterv1.Cluster) error {
	name := klog.KObj(cluster).String()
	c.machines.AddResourceGroup(name)
	if err := createAll(ctx, c.machines.GetResourceGroup(name).GetClient(), namespaces()...); err != nil {
		return err
	}
	listener, err := c.apiServers.InitWorkloadClusterListener(name, 0)
	if err != nil {
		return err
	}
	if err := c.apiServers.RegisterResourceGroup(name, name); err != nil {
		return err
	}
	endpoint := cluster.Spec.ControlPlaneEndpoint
	return c.endpoints.ensure(net.JoinHostPort(endpoint.Host, strconv.Itoa(int(endpoint.Port))), name, listener)
}
