package context;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.HashMap;
import java.util.Map;

public class Main implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        ClientContext client = context.getClientContext();
        Map<String, Object> told = new HashMap<>();
        told.put("requestId", context.getAwsRequestId());
        told.put("name", context.getFunctionName());
        told.put("version", context.getFunctionVersion());
        told.put("arn", context.getInvokedFunctionArn());
        told.put("memory", String.valueOf(context.getMemoryLimitInMB()));
        told.put("logGroup", context.getLogGroupName());
        told.put("logStream", context.getLogStreamName());
        told.put("remaining", context.getRemainingTimeInMillis());
        told.put("custom", client == null ? null : client.getCustom());
        told.put("identity", context.getIdentity().getIdentityId());
        told.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        return told;
    }
}
