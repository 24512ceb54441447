// Reads a queue: parcels that are too heavy stay in it, the others are done.

import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { Logger } from '@aws-lambda-powertools/logger';
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';

const MOST_KILOGRAMS = 30;

const logger = new Logger();
const processor = new BatchProcessor(EventType.SQS);

const send = async (record: SQSRecord): Promise<void> => {
  const parcel = JSON.parse(record.body);
  if (parcel.kilograms > MOST_KILOGRAMS) throw new Error(`${parcel.id} is too heavy`);
  logger.info('sent', { parcel: parcel.id });
};

export const handler = async (event: SQSEvent, context: Context) => {
  logger.addContext(context);
  return processPartialResponse(event, send, processor, { context });
};
