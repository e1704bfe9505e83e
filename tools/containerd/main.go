// Command cri-pull asks a container runtime to pull an image, and waits until it is unpacked, as the kubelet does: over CRI.
// crictl would do the same; the Go proxy does not serve its module.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cri-pull SOCKET IMAGE")
		os.Exit(2)
	}
	if err := pull(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pull prints what the runtime now knows of the image: its id, its tags, its digests.
func pull(socket, image string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	images := runtime.NewImageServiceClient(connection)
	spec := &runtime.ImageSpec{Image: image}
	if _, err := images.PullImage(ctx, &runtime.PullImageRequest{Image: spec}); err != nil {
		return err
	}
	status, err := images.ImageStatus(ctx, &runtime.ImageStatusRequest{Image: spec})
	if err != nil {
		return err
	}
	fmt.Println(status.GetImage())
	return nil
}
