// Command bootstrap is a first function: it greets whom its event names.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Name string `json:"name"`
}

type answer struct {
	Greeting string `json:"greeting"`
}

func handle(_ context.Context, event request) (answer, error) {
	log.Print("called as ", lambdacontext.FunctionName)
	if event.Name == "" {
		event.Name = "world"
	}
	return answer{"Hello, " + event.Name + "!"}, nil
}

func main() {
	lambda.Start(handle)
}
