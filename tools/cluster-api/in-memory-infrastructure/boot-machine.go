package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/rand"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	cloudv1 "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/cloud/api/v1alpha1"
	inmemoryruntime "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/runtime"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/cluster-api/util/certs"
	"sigs.k8s.io/cluster-api/util/secret"
)

// ensureMachine makes what a machine brings into its cluster; what is there stays. The order is kubeadm's: etcd, API server, the rest.
func (c *cloud) ensureMachine(ctx context.Context, management client.Client, cluster *clusterv1.Cluster, machine *clusterv1.Machine) error {
	name := klog.KObj(cluster).String()
	inside := c.machines.GetResourceGroup(name).GetClient()
	if err := createAll(ctx, inside, node(machine)); err != nil {
		return err
	}
	if !util.IsControlPlaneMachine(machine) {
		return nil
	}
	member := "etcd-" + machine.Name
	if err := ensureEtcdPod(ctx, inside, member, machine.Name); err != nil {
		return err
	}
	if !c.apiServers.HasEtcdMember(name, member) {
		certificate, key, err := authority(ctx, management, cluster, secret.EtcdCA)
		if err != nil {
			return err
		}
		if err := c.apiServers.AddEtcdMember(name, member, certificate, key); err != nil {
			return err
		}
	}
	if err := createAll(ctx, inside, controlPlanePods(machine.Name)...); err != nil {
		return err
	}
	if err := createAll(ctx, inside, kubeadmObjects(machine.Spec.Version)...); err != nil {
		return err
	}
	server := "kube-apiserver-" + machine.Name
	if c.apiServers.HasAPIServer(name, server) {
		return nil
	}
	certificate, key, err := authority(ctx, management, cluster, secret.ClusterCA)
	if err != nil {
		return err
	}
	return c.apiServers.AddAPIServer(name, server, certificate, key)
}

// removeMachine takes away what a machine has brought. With the last control plane of a cluster that is deleted goes all of it:
// a later cluster of that name has certificates of its own.
func (c *cloud) removeMachine(ctx context.Context, cluster *clusterv1.Cluster, machine *clusterv1.Machine) error {
	name := klog.KObj(cluster).String()
	known := c.apiServers.GetCluster(name)
	if known == nil {
		return nil
	}
	inside := c.machines.GetResourceGroup(name).GetClient()
	gone := []client.Object{node(machine)}
	if util.IsControlPlaneMachine(machine) {
		gone = append(gone, staticPod("etcd", machine.Name))
		gone = append(gone, controlPlanePods(machine.Name)...)
	}
	for _, object := range gone {
		if err := inside.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	if !util.IsControlPlaneMachine(machine) {
		return nil
	}
	if err := c.apiServers.DeleteEtcdMember(name, "etcd-"+machine.Name); err != nil {
		return err
	}
	if err := c.apiServers.DeleteAPIServer(name, "kube-apiserver-"+machine.Name); err != nil {
		return err
	}
	if cluster.DeletionTimestamp.IsZero() || len(c.apiServers.GetCluster(name).APIServers) > 0 {
		return nil
	}
	c.endpoints.remove(name)
	c.machines.DeleteResourceGroup(name)
	return c.apiServers.DeleteWorkloadClusterListener(name)
}

// ensureEtcdPod adds a member; its pod says which cluster it belongs to, and who leads.
func ensureEtcdPod(ctx context.Context, inside inmemoryruntime.Client, name, node string) error {
	err := inside.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: name}, &corev1.Pod{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	members := &corev1.PodList{}
	if err := inside.List(ctx, members, client.InNamespace(metav1.NamespaceSystem), client.MatchingLabels{"component": "etcd"}); err != nil {
		return err
	}
	etcd, led := "", false
	for _, member := range members.Items {
		if _, removed := member.Annotations[cloudv1.EtcdMemberRemoved]; removed {
			continue
		}
		etcd = member.Annotations[cloudv1.EtcdClusterIDAnnotationName]
		led = led || member.Annotations[cloudv1.EtcdLeaderFromAnnotationName] != ""
	}
	if etcd == "" {
		etcd = randomID()
	}
	pod := staticPod("etcd", node)
	pod.Annotations = map[string]string{
		cloudv1.EtcdClusterIDAnnotationName: etcd,
		cloudv1.EtcdMemberIDAnnotationName:  randomID(),
	}
	if !led {
		pod.Annotations[cloudv1.EtcdLeaderFromAnnotationName] = time.Now().Format(time.RFC3339)
	}
	return createAll(ctx, inside, pod)
}

// randomID is never 0, which etcd takes for none.
func randomID() string {
	return strconv.FormatUint(uint64(rand.Uint32())|1, 10)
}

// authority reads a certificate authority of a cluster, as Cluster API keeps it.
func authority(ctx context.Context, management client.Client, cluster *clusterv1.Cluster, purpose secret.Purpose) (*x509.Certificate, *rsa.PrivateKey, error) {
	kept, err := secret.Get(ctx, management, client.ObjectKeyFromObject(cluster), purpose)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := certs.DecodeCertPEM(kept.Data[secret.TLSCrtDataName])
	if err != nil {
		return nil, nil, err
	}
	key, err := certs.DecodePrivateKeyPEM(kept.Data[secret.TLSKeyDataName])
	if err != nil {
		return nil, nil, err
	}
	rsaKey, isRSA := key.(*rsa.PrivateKey)
	if !isRSA {
		return nil, nil, fmt.Errorf("%s has a %T, and imitations know RSA only", kept.Name, key)
	}
	return certificate, rsaKey, nil
}

func createAll(ctx context.Context, inside inmemoryruntime.Client, objects ...client.Object) error {
	for _, object := range objects {
		if err := inside.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("%T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}
