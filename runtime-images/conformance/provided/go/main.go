// Every case of the contract in one bootstrap: the handler's name says which it is.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// ShopError is an error of a type of the function's own.
type ShopError struct{ message string }

func (e ShopError) Error() string { return e.message }

var calls int

var cases = map[string]any{
	"hello": func(event struct{ Name string }) (map[string]string, error) {
		return map[string]string{"greeting": fmt.Sprintf("Hello, %s!", event.Name)}, nil
	},
	"echo":        func(event json.RawMessage) (json.RawMessage, error) { return event, nil },
	"length":      func(event string) (int, error) { return utf8.RuneCountInString(event), nil },
	"size":        func(event int) (string, error) { return strings.Repeat("x", event), nil },
	"recovers":    func() (string, error) { return "recovered", nil },
	"no_json":     func() (any, error) { return make(chan int), nil },
	"context":     told,
	"environment": surroundings,
	"error":       fail,
	"exit":        exit,
	"sleep":       sleep,
	"memory":      fill,
	"temporary":   temporary,
}

func main() {
	name := os.Getenv("_HANDLER")
	if name == "recovers" {
		firstTime()
	}
	lambda.Start(cases[name])
}

func firstTime() {
	mark := filepath.Join(os.TempDir(), "tried")
	if _, err := os.Stat(mark); errors.Is(err, fs.ErrNotExist) {
		_ = os.WriteFile(mark, nil, 0o600)
		panic("the first time")
	}
}

func told(ctx context.Context) (map[string]any, error) {
	found, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	answer := map[string]any{
		"requestId": found.AwsRequestID,
		"name":      lambdacontext.FunctionName,
		"version":   lambdacontext.FunctionVersion,
		"arn":       found.InvokedFunctionArn,
		"memory":    strconv.Itoa(lambdacontext.MemoryLimitInMB),
		"logGroup":  lambdacontext.LogGroupName,
		"logStream": lambdacontext.LogStreamName,
		"remaining": time.Until(deadline).Milliseconds(),
	}
	if found.ClientContext.Custom != nil {
		answer["custom"] = found.ClientContext.Custom
	}
	if found.Identity.CognitoIdentityID != "" {
		answer["identity"] = found.Identity.CognitoIdentityID
	}
	if trace, _ := ctx.Value("x-amzn-trace-id").(string); trace != "" {
		answer["trace"] = trace
	}
	return answer, nil
}

func surroundings() (map[string]any, error) {
	listed, err := exec.Command("/bin/ls", "/proc/self/fd").Output()
	folder, _ := os.Getwd()
	variables := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		variables[name] = value
	}
	inherited := strings.Fields(string(listed))
	return map[string]any{"variables": variables, "folder": folder, "inherited": inherited}, err
}

func fail(event *string) (string, error) {
	if event == nil {
		fmt.Println("called with nothing")
		return "fine", nil
	}
	fmt.Println("called with", *event)
	return "", ShopError{*event}
}

func exit(event *int) (int, error) {
	calls++
	if event != nil {
		fmt.Println("last words")
		os.Exit(*event)
	}
	return calls, nil
}

func sleep(event int) (string, error) {
	fmt.Println("going to sleep")
	time.Sleep(time.Duration(event) * time.Second)
	return "awake", nil
}

func fill() error {
	var kept [][]byte
	for {
		kept = append(kept, bytes.Repeat([]byte("x"), 4_000_000))
	}
}

func temporary() (int64, error) {
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "kept"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.WriteString("x"); err != nil {
		return 0, err
	}
	status, err := file.Stat()
	return status.Size(), err
}
