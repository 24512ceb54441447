// The AWS SDK for Go, version 2 (lines: tests/clients/driver.py).
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type asked struct {
	Do        string          `json:"do"`
	Operation string          `json:"operation"`
	Key       string          `json:"key"`
	Input     json.RawMessage `json:"input"`
}

const patience = 30 * time.Second

var background = context.Background()

func clientOf(key string) (*lambda.Client, error) {
	settings, err := config.LoadDefaultConfig(background,
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key, "test", "")),
		config.WithRetryMaxAttempts(8))
	return lambda.NewFromConfig(settings), err
}

// called calls the client's method of an operation with an input that is read from JSON.
func called(client *lambda.Client, operation string, given []byte) (any, error) {
	method := reflect.ValueOf(client).MethodByName(operation)
	input := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal(given, input.Interface()); err != nil {
		return nil, err
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(background), input})
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	return results[0].Interface(), nil
}

func call(client *lambda.Client, operation string, given []byte) (any, error) {
	if operation == "InvokeAsync" { // whose argument is a stream
		var input struct {
			FunctionName string
			InvokeArgs   []byte
		}
		if err := json.Unmarshal(given, &input); err != nil {
			return nil, err
		}
		return client.InvokeAsync(background, &lambda.InvokeAsyncInput{
			FunctionName: &input.FunctionName, InvokeArgs: bytes.NewReader(input.InvokeArgs),
		})
	}
	output, err := called(client, operation, given)
	if err != nil {
		return nil, err
	}
	if streamed, is := output.(*lambda.InvokeWithResponseStreamOutput); is {
		return read(streamed)
	}
	return output, nil
}

func read(output *lambda.InvokeWithResponseStreamOutput) (any, error) {
	stream := output.GetStream()
	defer stream.Close()
	var events []map[string]any
	for event := range stream.Events() {
		switch one := event.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			events = append(events, map[string]any{"PayloadChunk": one.Value})
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			events = append(events, map[string]any{"InvokeComplete": one.Value})
		}
	}
	return map[string]any{"EventStream": events}, stream.Err()
}

func wait(client *lambda.Client, waiter string, given []byte) error {
	var input lambda.GetFunctionInput
	if err := json.Unmarshal(given, &input); err != nil {
		return err
	}
	const least = 100 * time.Millisecond
	if waiter == "FunctionActiveV2" {
		return lambda.NewFunctionActiveV2Waiter(client, func(o *lambda.FunctionActiveV2WaiterOptions) {
			o.MinDelay = least
		}).Wait(background, &input, patience)
	}
	return lambda.NewFunctionUpdatedV2Waiter(client, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay = least
	}).Wait(background, &input, patience)
}

func pages(client *lambda.Client, operation string, given []byte) (any, error) {
	var paging struct{ PaginationConfig struct{ PageSize int32 } }
	if err := json.Unmarshal(given, &paging); err != nil {
		return nil, err
	}
	size := paging.PaginationConfig.PageSize
	found := []any{}
	var more func() bool
	var next func() (any, error)
	if operation == "ListAliases" {
		input := lambda.ListAliasesInput{MaxItems: aws.Int32(size)}
		if err := json.Unmarshal(given, &input); err != nil {
			return nil, err
		}
		paginator := lambda.NewListAliasesPaginator(client, &input)
		more, next = paginator.HasMorePages, func() (any, error) { return paginator.NextPage(background) }
	} else {
		input := lambda.ListVersionsByFunctionInput{MaxItems: aws.Int32(size)}
		if err := json.Unmarshal(given, &input); err != nil {
			return nil, err
		}
		paginator := lambda.NewListVersionsByFunctionPaginator(client, &input)
		more, next = paginator.HasMorePages, func() (any, error) { return paginator.NextPage(background) }
	}
	for more() {
		page, err := next()
		if err != nil {
			return nil, err
		}
		found = append(found, page)
	}
	return found, nil
}

func answer(line []byte, clients map[string]*lambda.Client) (any, error) {
	var one asked
	if err := json.Unmarshal(line, &one); err != nil {
		return nil, err
	}
	client, known := clients[one.Key]
	if !known {
		made, err := clientOf(one.Key)
		if err != nil {
			return nil, err
		}
		client, clients[one.Key] = made, made
	}
	switch one.Do {
	case "wait":
		return map[string]any{}, wait(client, one.Operation, one.Input)
	case "pages":
		return pages(client, one.Operation, one.Input)
	}
	return call(client, one.Operation, one.Input)
}

func failure(err error) map[string]any {
	said := map[string]any{"error": "Go", "message": err.Error()}
	var api smithy.APIError
	if errors.As(err, &api) {
		said["error"], said["message"] = api.ErrorCode(), api.ErrorMessage()
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		said["status"] = response.HTTPStatusCode()
	}
	return said
}

func main() {
	clients := map[string]*lambda.Client{}
	lines, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		output, err := answer(line, clients)
		said := map[string]any{"output": output}
		if err != nil {
			said = failure(err)
		}
		if err := out.Encode(said); err != nil {
			panic(err)
		}
	}
}
