package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/cluster-api/test/infrastructure/container"
	infrav1beta1 "sigs.k8s.io/cluster-api/test/infrastructure/docker/api/v1beta1"
	infrav1 "sigs.k8s.io/cluster-api/test/infrastructure/docker/api/v1beta2"
	"sigs.k8s.io/cluster-api/test/infrastructure/docker/controllers"
	"sigs.k8s.io/cluster-api/test/infrastructure/docker/webhooks"
)

const reconcilers = 10

// newManager wires upstream's controllers and webhooks for one management cluster, as upstream's main does.
func newManager(ctx context.Context, settings managerSettings, world *cloud) (ctrl.Manager, error) {
	kubeconfig, err := clientcmd.BuildConfigFromFlags("", settings.Kubeconfig)
	if err != nil {
		return nil, err
	}
	kubeconfig.QPS, kubeconfig.Burst = 100, 200
	options, err := managerOptions(settings)
	if err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(kubeconfig, options)
	if err != nil {
		return nil, err
	}
	if err := manager.AddReadyzCheck("webhook", manager.GetWebhookServer().StartedChecker()); err != nil {
		return nil, err
	}
	if err := addControllers(ctx, manager, world); err != nil {
		return nil, err
	}
	return manager, addWebhooks(manager)
}

func managerOptions(settings managerSettings) (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, clusterv1.AddToScheme, infrav1.AddToScheme, infrav1beta1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return ctrl.Options{}, err
		}
	}
	ofClusters, err := labels.NewRequirement(clusterv1.ClusterNameLabel, selection.Exists, nil)
	if err != nil {
		return ctrl.Options{}, err
	}
	secrets := map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: labels.NewSelector().Add(*ofClusters)}}
	// several managers in one process have controllers of the same names
	sameNames := true
	return ctrl.Options{
		Scheme:                 scheme,
		Controller:             config.Controller{SkipNameValidation: &sameNames, CacheSyncTimeout: time.Minute},
		HealthProbeBindAddress: settings.HealthAddress,
		Metrics:                metricsserver.Options{BindAddress: settings.DiagnosticsAddress},
		Cache:                  cache.Options{ByObject: secrets},
		Client:                 client.Options{Cache: &client.CacheOptions{DisableFor: uncached(), Unstructured: true}},
		WebhookServer:          webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: settings.WebhookPort, CertDir: settings.WebhookCertDir}),
	}, nil
}

func uncached() []client.Object {
	return []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}}
}

func addControllers(ctx context.Context, manager ctrl.Manager, world *cloud) error {
	concurrency := controller.Options{MaxConcurrentReconciles: reconcilers}
	secretClient, err := client.New(manager.GetConfig(), client.Options{
		HTTPClient: manager.GetHTTPClient(),
		Cache:      &client.CacheOptions{Reader: manager.GetCache()},
	})
	if err != nil {
		return err
	}
	clusters, err := clustercache.SetupWithManager(ctx, manager, clustercache.Options{
		SecretClient: secretClient,
		Client: clustercache.ClientOptions{
			QPS: 20, Burst: 30, UserAgent: "in-memory-infrastructure",
			Cache: clustercache.ClientCacheOptions{DisableFor: uncached()},
		},
	}, concurrency)
	if err != nil {
		return err
	}
	// must be there, and is never asked by the in-memory backend
	containers, err := container.NewFakeClient()
	if err != nil {
		return err
	}
	kube := manager.GetClient()
	for _, reconciler := range []interface {
		SetupWithManager(context.Context, ctrl.Manager, controller.Options) error
	}{
		&controllers.DevClusterReconciler{Client: kube, ContainerRuntime: containers, InMemoryManager: world.machines, APIServerMux: world.apiServers},
		&controllers.DevMachineReconciler{Client: kube, ContainerRuntime: containers, ClusterCache: clusters, InMemoryManager: world.machines, APIServerMux: world.apiServers},
		&controllers.DevMachineTemplateReconciler{Client: kube, ContainerRuntime: containers},
	} {
		if err := reconciler.SetupWithManager(ctx, manager, concurrency); err != nil {
			return err
		}
	}
	return nil
}

// addWebhooks serves those of the Docker kinds too: their custom resource definitions come in the same manifest.
func addWebhooks(manager ctrl.Manager) error {
	for _, kind := range []interface{ SetupWebhookWithManager(ctrl.Manager) error }{
		&webhooks.DevCluster{}, &webhooks.DevClusterTemplate{}, &webhooks.DevMachine{}, &webhooks.DevMachineTemplate{},
		&webhooks.DockerCluster{}, &webhooks.DockerClusterTemplate{}, &webhooks.DockerMachine{}, &webhooks.DockerMachineTemplate{},
	} {
		if err := kind.SetupWebhookWithManager(manager); err != nil {
			return err
		}
	}
	return nil
}
