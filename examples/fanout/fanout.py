"""Tells a topic and a queue of each order that was saved in a table, as its stream has it."""

import functools
import json
import os

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError

read = TypeDeserializer().deserialize


@functools.cache
def client(service):
    """Make a client once for an environment."""
    return boto3.client(service)


@functools.cache
def topic_arn():
    """Find the topic once; what is there already is not made again."""
    return client("sns").create_topic(Name=os.environ["TOPIC_NAME"])["TopicArn"]


@functools.cache
def queue_url():
    """Find the queue once."""
    return client("sqs").get_queue_url(QueueName=os.environ["QUEUE_NAME"])["QueueUrl"]


def handler(event, _context):
    """Fan out a batch; what could not be told of comes again, with what is behind it."""
    told = 0
    for record in event["Records"]:
        if record["eventName"] != "INSERT":
            continue
        order = {name: read(value) for name, value in record["dynamodb"]["NewImage"].items()}
        text = json.dumps(order, default=str)
        try:
            client("sns").publish(TopicArn=topic_arn(), Message=text)
            client("sqs").send_message(QueueUrl=queue_url(), MessageBody=text)
        except (BotoCoreError, ClientError) as error:
            print(f"order {order['id']}: {error}")
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        told += 1
        print(f"order {order['id']} told")
    return {"told": told, "batchItemFailures": []}
