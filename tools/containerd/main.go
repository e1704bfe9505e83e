// Command cri-pull asks a container runtime to pull an image, and waits until it is unpacked, as the kubelet does: over CRI.
// Without an image it only asks whether the runtime answers. crictl would do the same; the Go proxy does not serve its module.
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
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: cri-pull SOCKET [IMAGE]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(socket string, wanted []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	images := runtime.NewImageServiceClient(connection)
	if len(wanted) == 0 {
		_, err := images.ListImages(ctx, &runtime.ListImagesRequest{})
		return err
	}
	return pull(ctx, images, wanted[0])
}

// pull prints what the runtime now knows of the image: its id, its tags, its digests.
func pull(ctx context.Context, images runtime.ImageServiceClient, wanted string) error {
	image := &runtime.ImageSpec{Image: wanted}
	if _, err := images.PullImage(ctx, &runtime.PullImageRequest{Image: image}); err != nil {
		return err
	}
	status, err := images.ImageStatus(ctx, &runtime.ImageStatusRequest{Image: image})
	if err != nil {
		return err
	}
	fmt.Println(status.GetImage())
	return nil
}
