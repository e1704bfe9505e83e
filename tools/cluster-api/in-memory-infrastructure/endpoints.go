package main

import (
	"fmt"
	"io"
	"net"
	"reflect"
	"sync"
	"unsafe"

	inmemoryserver "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server"
)

// endpoints are the addresses at which clusters say that their API servers are: on real machines a load balancer or kube-vip
// has them. Imitations listen on ports of their own choice.
type endpoints struct {
	lock      sync.Mutex
	listeners map[string]net.Listener
}

// ensure listens on an address of this machine for a cluster, as long as it is not removed.
func (e *endpoints) ensure(address, cluster string, target *inmemoryserver.WorkloadClusterListener) error {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.listeners[cluster] != nil {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("the endpoint of %s must be an address of this machine that nobody listens on: %w", cluster, err)
	}
	nameInCertificate(target, host)
	if e.listeners == nil {
		e.listeners = map[string]net.Listener{}
	}
	e.listeners[cluster] = listener
	go forwardConnections(listener, fmt.Sprintf("127.0.0.1:%d", target.Port()))
	return nil
}

func (e *endpoints) remove(cluster string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	if listener := e.listeners[cluster]; listener != nil {
		listener.Close()
		delete(e.listeners, cluster)
	}
}

// nameInCertificate puts the endpoint's address into the certificate that the imitation is going to make. Upstream keeps the
// address of all imitations in a private field, and has no other way in; see forwardToRealServers.
func nameInCertificate(target *inmemoryserver.WorkloadClusterListener, host string) {
	field := reflect.ValueOf(target).Elem().FieldByName("host")
	*(*string)(unsafe.Pointer(field.UnsafeAddr())) = host
}

func forwardConnections(listener net.Listener, target string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer from.Close()
			to, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			defer to.Close()
			go func() {
				_, _ = io.Copy(to, from)
				to.Close()
			}()
			_, _ = io.Copy(from, to)
		}()
	}
}
