// Takes orders by HTTP, each once however often it comes; prices and secrets are kept elsewhere.

import { BadRequestError, Router } from '@aws-lambda-powertools/event-handler/http';
import {
  IdempotencyAlreadyInProgressError,
  IdempotencyConfig,
  makeIdempotent,
} from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { getSecret } from '@aws-lambda-powertools/parameters/secrets';
import { getParameter } from '@aws-lambda-powertools/parameters/ssm';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';

type Order = { id: string; pieces: number };

const logger = new Logger();
const metrics = new Metrics();
const tracer = new Tracer();
const app = new Router({ logger });
const once = new IdempotencyConfig({ eventKeyJmesPath: 'id', throwOnNoIdempotencyKey: true });
const store = new DynamoDBPersistenceLayer({
  tableName: process.env.ORDERS_TABLE ?? '',
  awsSdkV3Client: tracer.captureAWSv3Client(new DynamoDBClient()),
});

// Runs something as a part of the trace.
const traced = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  const parent = tracer.getSegment();
  const part = parent?.addNewSubsegment(name);
  if (parent === undefined || part === undefined) return work();
  tracer.setSegment(part);
  try {
    return await work();
  } finally {
    part.close();
    tracer.setSegment(parent);
  }
};

// Charges for an order, which must not happen twice.
const take = makeIdempotent(
  async (given: Order) =>
    traced('## shop.take', async () => {
      const token = await getSecret('shop/payments');
      logger.info('charged', { order: given.id, with_token_of: token?.length });
      metrics.addMetric('Orders', MetricUnit.Count, 1);
      metrics.addMetric('Pieces', MetricUnit.Count, given.pieces);
      return { id: given.id, pieces: given.pieces };
    }),
  { persistenceStore: store, config: once },
);

app.post('/orders', async ({ req }) => {
  const given = (await req.json()) as Order;
  if (!Number.isInteger(given.pieces)) throw new BadRequestError('pieces must be a whole number');
  return Response.json(await take(given), { status: 201 });
});

app.get('/prices/:item', async ({ params }) => ({
  item: params.item,
  price: await getParameter(`/shop/prices/${params.item}`, { maxAge: 5 }),
}));

app.errorHandler(IdempotencyAlreadyInProgressError, async () =>
  Response.json({ message: 'the order is being taken' }, { status: 409 }),
);

export const handler = async (event: APIGatewayProxyEventV2, context: Context) => {
  logger.addContext(context);
  logger.setCorrelationId(event.requestContext.requestId);
  once.registerLambdaContext(context);
  metrics.addMetric('Requests', MetricUnit.Count, 1);
  try {
    return await traced('## handler', async () => app.resolve(event, context));
  } finally {
    metrics.publishStoredMetrics();
  }
};
