package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"
	"unsafe"

	inmemoryserver "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server"
)

// realServer is the content of a NAMESPACE.CLUSTER.json: the API server that answers for this workload cluster from now on,
// except for what only the imitation knows. Certificates and key are PEM; the client certificate speaks for whoever comes
// without a token, since the imitation asks nobody for a certificate.
type realServer struct {
	URL  string `json:"url"`
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// forwarder looks for a cluster's file at every request: it may be written, replaced and removed at any time.
type forwarder struct {
	folder     string
	apiServers *inmemoryserver.WorkloadClustersMux
	imitation  http.Handler
	lock       sync.Mutex
	proxies    map[string]*proxy
}

type proxy struct {
	written             time.Time
	asAdmin, asBearer   http.Handler
	closeIdleConnection func()
}

// forwardToRealServers puts itself before the imitations' handler. Upstream keeps that in a private field and has no other
// way in; a tool for tests with a pinned version may reach for it.
func forwardToRealServers(apiServers *inmemoryserver.WorkloadClustersMux, folder string) {
	field := reflect.ValueOf(apiServers).Elem().FieldByName("muxServer").FieldByName("Handler")
	handler := (*http.Handler)(unsafe.Pointer(field.UnsafeAddr()))
	*handler = &forwarder{folder: folder, apiServers: apiServers, imitation: *handler, proxies: map[string]*proxy{}}
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// clusters are told apart by port, and one that came through an endpoint (endpoints.go) names another
	if arrived, known := r.Context().Value(http.LocalAddrContextKey).(net.Addr); known {
		r.Host = arrived.String()
	}
	if !onlyImitated(r) {
		real, err := f.proxyOf(r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if real != nil {
			real.handler(r).ServeHTTP(w, r)
			return
		}
	}
	f.imitation.ServeHTTP(w, r)
}

// onlyImitated says whether a request is for what the machines themselves would hold: etcd, nodes, static pods and
// kubeadm's objects.
func onlyImitated(r *http.Request) bool {
	path := r.URL.Path + "/"
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") ||
		strings.HasPrefix(path, "/api/v1/nodes/") ||
		strings.HasPrefix(path, "/api/v1/pods/") ||
		imitatedInKubeSystem.MatchString(path) && !ofNetwork.MatchString(path) ||
		strings.HasSuffix(path, "/portforward/")
}

// The kinds in kube-system that the imitation has; who lists all there are (`clusterctl upgrade apply`) asks for others, too.
var imitatedInKubeSystem = regexp.MustCompile(`/namespaces/kube-system/(configmaps|daemonsets|deployments|endpoints|` +
	`poddisruptionbudgets|pods|rolebindings|roles|secrets|serviceaccounts|services)/`)

// What is not kubeadm's there: the network between pods, which is applied server-side, as imitations cannot.
var ofNetwork = regexp.MustCompile(`/namespaces/kube-system/[a-z]+/cilium[a-z-]*/`)

// proxyOf returns nil where the imitation answers for everything.
func (f *forwarder) proxyOf(host string) (*proxy, error) {
	file := f.fileOf(host)
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	known := f.proxies[file]
	if known != nil && known.written.Equal(info.ModTime()) {
		return known, nil
	}
	made, err := newProxy(file, info.ModTime())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if known != nil {
		known.closeIdleConnection()
	}
	f.proxies[file] = made
	return made, nil
}

// fileOf finds the cluster (`namespace/name`) that listens on the port of the request.
func (f *forwarder) fileOf(host string) string {
	_, port, _ := net.SplitHostPort(host)
	for name, address := range f.apiServers.ListListeners() {
		if strings.HasSuffix(strings.TrimSuffix(address, " (stopped)"), ":"+port) {
			return filepath.Join(f.folder, strings.Replace(name, "/", ".", 1)+".json")
		}
	}
	return ""
}

func newProxy(file string, written time.Time) (*proxy, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var server realServer
	if err := json.Unmarshal(content, &server); err != nil {
		return nil, err
	}
	target, err := url.Parse(server.URL)
	if err != nil {
		return nil, err
	}
	admin, err := tls.X509KeyPair([]byte(server.Cert), []byte(server.Key))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(server.CA))
	transport := func(certificates ...tls.Certificate) *http.Transport {
		return &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
	}
	asAdmin, asBearer := transport(admin), transport()
	return &proxy{
		written:  written,
		asAdmin:  reverseProxy(target, asAdmin),
		asBearer: reverseProxy(target, asBearer),
		closeIdleConnection: func() {
			asAdmin.CloseIdleConnections()
			asBearer.CloseIdleConnections()
		},
	}, nil
}

// handler keeps a token alone on its connection: beside a client certificate no API server would look at it.
func (p *proxy) handler(r *http.Request) http.Handler {
	if r.Header.Get("Authorization") == "" {
		return p.asAdmin
	}
	return p.asBearer
}

func reverseProxy(target *url.URL, transport http.RoundTripper) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
		},
		Transport: transport,
		// events of a watch must not wait for a full buffer
		FlushInterval: -1,
	}
}
