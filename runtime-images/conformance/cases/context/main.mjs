export const handler = async (event, context) => ({
  requestId: context.awsRequestId,
  name: context.functionName,
  version: context.functionVersion,
  arn: context.invokedFunctionArn,
  memory: context.memoryLimitInMB,
  logGroup: context.logGroupName,
  logStream: context.logStreamName,
  remaining: context.getRemainingTimeInMillis(),
  custom: context.clientContext?.custom ?? null,
  identity: context.identity?.cognitoIdentityId ?? null,
  trace: process.env._X_AMZN_TRACE_ID ?? null,
});
