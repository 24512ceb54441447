// Says where it runs, at a function URL.

import { getMetadata } from '@aws-lambda-powertools/commons/utils/metadata';
import { Router } from '@aws-lambda-powertools/event-handler/http';
import type { Context } from 'aws-lambda';

const app = new Router();

app.get('/zone', async () => {
  const { AvailabilityZoneID: zone } = await getMetadata();
  return { zone: typeof zone === 'string' ? zone : null };
});

export const handler = async (event: unknown, context: Context) => app.resolve(event, context);
