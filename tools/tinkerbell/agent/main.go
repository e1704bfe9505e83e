// Tinkerbell-agent imitates a machine that has booted HookOS: it asks Tinkerbell's workflow server for the machine's actions,
// and says of each that it ran, in the words of Tinkerbell's own agent. Nothing is run: there is neither disk nor container.
// It prints each action as a line of JSON, and ends after the last one, as the machine reboots then. For tests only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tinkerbell/tinkerbell/pkg/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	between = 500 * time.Millisecond
	// patience is how long the server may think about a next action: it keeps one waiting for a minute when there is none.
	patience = 10 * time.Second
)

func main() {
	server := flag.String("server", "", "address of the workflow server")
	id := flag.String("id", "", "of the machine: its MAC address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *server, *id); err != nil {
		fmt.Fprintf(os.Stderr, "tinkerbell-agent: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, server, id string) error {
	connection, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := proto.NewWorkflowServiceClient(connection)
	done := map[string]bool{}
	for {
		action, err := nextAction(ctx, client, id, len(done) > 0)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && done[action.GetActionId()]:
			// the server does not know yet that it is done
		case err == nil:
			if err := perform(ctx, client, action); err != nil {
				return err
			}
			done[action.GetActionId()] = true
			continue
		case len(done) > 0 && nothingLeft(err):
			return nil
		case !nothingLeft(err) && status.Code(err) != codes.Unavailable && status.Code(err) != codes.Internal:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(between):
		}
	}
}

func nextAction(ctx context.Context, client proto.WorkflowServiceClient, id string, impatient bool) (*proto.ActionResponse, error) {
	if impatient {
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ctx = limited
	}
	return client.GetAction(ctx, &proto.ActionRequest{AgentId: &id})
}

// nothingLeft says whether the server has no action for this machine, or no workflow at all.
func nothingLeft(err error) bool {
	code := status.Code(err)
	return code == codes.NotFound || code == codes.FailedPrecondition || code == codes.DeadlineExceeded
}

func perform(ctx context.Context, client proto.WorkflowServiceClient, action *proto.ActionResponse) error {
	line, err := json.Marshal(map[string]any{
		"workflow":    action.GetWorkflowId(),
		"name":        action.GetName(),
		"image":       action.GetImage(),
		"environment": action.GetEnvironment(),
	})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	started := time.Now()
	for _, state := range []proto.ActionStatusRequest_StateType{proto.ActionStatusRequest_RUNNING, proto.ActionStatusRequest_SUCCESS} {
		if err := report(ctx, client, action, state, started); err != nil {
			return fmt.Errorf("action %q: %w", action.GetName(), err)
		}
	}
	return nil
}

// report says it again when somebody else changed the workflow in between.
func report(ctx context.Context, client proto.WorkflowServiceClient, action *proto.ActionResponse, state proto.ActionStatusRequest_StateType, started time.Time) error {
	duration, message := time.Since(started).String(), ""
	request := &proto.ActionStatusRequest{
		WorkflowId: action.WorkflowId, AgentId: action.AgentId, TaskId: action.TaskId, ActionId: action.ActionId, ActionName: action.Name,
		ActionState:       &state,
		ExecutionStart:    timestamppb.New(started),
		ExecutionStop:     timestamppb.Now(),
		ExecutionDuration: &duration,
		Message:           &proto.ActionMessage{Message: &message},
	}
	var failure error
	for range 10 {
		_, err := client.ReportActionStatus(ctx, request)
		if err == nil {
			return nil
		}
		failure = errors.Join(failure, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(between):
		}
	}
	return failure
}
