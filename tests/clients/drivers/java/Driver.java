// The AWS SDK for Java, version 2 (lines: tests/clients/driver.py).

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.protocol.MarshallingType;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.traits.MapTrait;
import software.amazon.awssdk.core.waiters.WaiterOverrideConfiguration;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.protocols.jsoncore.JsonWriter;
import software.amazon.awssdk.retries.StandardRetryStrategy;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.lambda.LambdaAsyncClient;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.lambda.model.GetFunctionRequest;
import software.amazon.awssdk.services.lambda.model.InvokeWithResponseStreamRequest;
import software.amazon.awssdk.services.lambda.model.InvokeWithResponseStreamResponseHandler;
import software.amazon.awssdk.services.lambda.model.ListAliasesRequest;
import software.amazon.awssdk.services.lambda.model.ListVersionsByFunctionRequest;
import software.amazon.awssdk.services.lambda.waiters.LambdaWaiter;

public final class Driver {
  static final String MODEL = "software.amazon.awssdk.services.lambda.model.";
  static final Duration LEAST = Duration.ofMillis(100);
  static final Map<String, LambdaClient> CLIENTS = new LinkedHashMap<>();
  static final Map<String, LambdaAsyncClient> STREAMING = new LinkedHashMap<>();

  public static void main(String[] arguments) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> said = new LinkedHashMap<>();
      try {
        said.put("output", answer(JsonNode.parser().parse(line).asObject()));
      } catch (Exception error) {
        said = failure(error);
      }
      JsonWriter writer = JsonWriter.create();
      write(writer, said);
      System.out.write(writer.getBytes());
      System.out.write('\n');
      System.out.flush();
    }
  }

  static Object answer(Map<String, JsonNode> asked) throws Exception {
    String operation = asked.get("operation").asString();
    JsonNode given = asked.get("input");
    LambdaClient client = CLIENTS.computeIfAbsent(asked.get("key").asString(), Driver::client);
    switch (asked.get("do").asString()) {
      case "wait":
        await(client, operation, (GetFunctionRequest) request("GetFunction", given));
        return Map.of();
      case "pages":
        return pages(client, operation, given);
      default:
        return call(client, asked.get("key").asString(), operation, given);
    }
  }

  static StaticCredentialsProvider credentials(String key) {
    return StaticCredentialsProvider.create(AwsBasicCredentials.create(key, "test"));
  }

  static LambdaClient client(String key) {
    StandardRetryStrategy retries = StandardRetryStrategy.builder().maxAttempts(8).build();
    return LambdaClient.builder().credentialsProvider(credentials(key))
        .overrideConfiguration(settings -> settings.retryStrategy(retries)).build();
  }

  static Object call(LambdaClient client, String key, String operation, JsonNode given)
      throws Exception {
    if (operation.equals("InvokeWithResponseStream")) {
      return stream(key, (InvokeWithResponseStreamRequest) request(operation, given));
    }
    Object asked = request(operation, given);
    String method = operation.substring(0, 1).toLowerCase() + operation.substring(1);
    try {
      return members(LambdaClient.class.getMethod(method, asked.getClass()).invoke(client, asked));
    } catch (InvocationTargetException error) {
      throw (Exception) error.getCause();
    }
  }

  static Object stream(String key, InvokeWithResponseStreamRequest asked) {
    LambdaAsyncClient client = STREAMING.computeIfAbsent(key, one ->
        LambdaAsyncClient.builder().credentialsProvider(credentials(one)).build());
    List<Object> events = new ArrayList<>();
    client.invokeWithResponseStream(asked, InvokeWithResponseStreamResponseHandler.builder()
        .subscriber(InvokeWithResponseStreamResponseHandler.Visitor.builder()
            .onPayloadChunk(one -> events.add(Map.of("PayloadChunk", members(one))))
            .onInvokeComplete(one -> events.add(Map.of("InvokeComplete", members(one))))
            .build())
        .build()).join();
    return Map.of("EventStream", events);
  }

  static void await(LambdaClient client, String waiter, GetFunctionRequest asked) {
    Consumer<WaiterOverrideConfiguration.Builder> patience = settings -> settings
        .maxAttempts(300).backoffStrategyV2(BackoffStrategy.fixedDelayWithoutJitter(LEAST));
    try (LambdaWaiter waiting = LambdaWaiter.builder().client(client).build()) {
      if (waiter.equals("FunctionActiveV2")) {
        waiting.waitUntilFunctionActiveV2(asked, WaiterOverrideConfiguration.builder()
            .applyMutation(patience).build());
      } else {
        waiting.waitUntilFunctionUpdatedV2(asked, WaiterOverrideConfiguration.builder()
            .applyMutation(patience).build());
      }
    }
  }

  static Object pages(LambdaClient client, String operation, JsonNode given) throws Exception {
    int size = Integer.parseInt(
        given.asObject().get("PaginationConfig").asObject().get("PageSize").asNumber());
    List<Object> found = new ArrayList<>();
    if (operation.equals("ListAliases")) {
      ListAliasesRequest asked = (ListAliasesRequest) request(operation, given);
      client.listAliasesPaginator(asked.toBuilder().maxItems(size).build())
          .forEach(page -> found.add(members(page)));
    } else {
      ListVersionsByFunctionRequest asked =
          (ListVersionsByFunctionRequest) request(operation, given);
      client.listVersionsByFunctionPaginator(asked.toBuilder().maxItems(size).build())
          .forEach(page -> found.add(members(page)));
    }
    return found;
  }

  static Object request(String operation, JsonNode given) throws Exception {
    Class<?> type = Class.forName(MODEL + operation + "Request");
    return built((SdkPojo) type.getMethod("builder").invoke(null), given);
  }

  static Object built(SdkPojo builder, JsonNode given) throws Exception {
    for (SdkField<?> field : builder.sdkFields()) {
      JsonNode member = given.asObject().get(field.memberName());
      if (member != null) {
        field.set(builder, value(field, member));
      }
    }
    Class<?> type = builder.getClass().getInterfaces()[0];
    return type.getMethod("build").invoke(builder);
  }

  static Object value(SdkField<?> field, JsonNode given) throws Exception {
    MarshallingType<?> type = field.marshallingType();
    if (type == MarshallingType.SDK_POJO) {
      return built(field.constructor().get(), given);
    } else if (type == MarshallingType.SDK_BYTES) {
      return SdkBytes.fromByteArray(Base64.getDecoder().decode(given.asString()));
    } else if (type == MarshallingType.INTEGER) {
      return Integer.valueOf(given.asNumber());
    } else if (type == MarshallingType.LONG) {
      return Long.valueOf(given.asNumber());
    } else if (type == MarshallingType.DOUBLE) {
      return Double.valueOf(given.asNumber());
    } else if (type == MarshallingType.BOOLEAN) {
      return given.asBoolean();
    } else if (type == MarshallingType.LIST) {
      List<Object> list = new ArrayList<>();
      for (JsonNode one : given.asArray()) {
        list.add(value(field.getTrait(ListTrait.class).memberFieldInfo(), one));
      }
      return list;
    } else if (type == MarshallingType.MAP) {
      Map<String, Object> map = new LinkedHashMap<>();
      for (Map.Entry<String, JsonNode> one : given.asObject().entrySet()) {
        map.put(one.getKey(),
            value(field.getTrait(MapTrait.class).valueFieldInfo(), one.getValue()));
      }
      return map;
    }
    return given.asString();
  }

  static Map<String, Object> members(Object pojo) {
    Map<String, Object> members = new LinkedHashMap<>();
    for (SdkField<?> field : ((SdkPojo) pojo).sdkFields()) {
      Object value = field.getValueOrDefault(pojo);
      if (value != null && !value.getClass().getSimpleName().startsWith("DefaultSdkAuto")) {
        members.put(field.memberName(), value);
      }
    }
    return members;
  }

  static Map<String, Object> failure(Exception error) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : error;
    Map<String, Object> said = new LinkedHashMap<>();
    if (cause instanceof AwsServiceException) {
      AwsServiceException refusal = (AwsServiceException) cause;
      said.put("error", refusal.awsErrorDetails().errorCode());
      said.put("status", refusal.statusCode());
      said.put("message", refusal.awsErrorDetails().errorMessage());
    } else if (cause instanceof ClassNotFoundException) {
      said.put("missing", "it has no " + cause.getMessage().substring(MODEL.length()));
    } else {
      said.put("error", cause.getClass().getSimpleName());
      said.put("message", String.valueOf(cause.getMessage()));
    }
    return said;
  }

  static void write(JsonWriter writer, Object value) {
    if (value instanceof Map) {
      writer.writeStartObject();
      ((Map<?, ?>) value).forEach((name, member) -> {
        writer.writeFieldName((String) name);
        write(writer, member);
      });
      writer.writeEndObject();
    } else if (value instanceof List) {
      writer.writeStartArray();
      ((List<?>) value).forEach(member -> write(writer, member));
      writer.writeEndArray();
    } else if (value instanceof SdkPojo) {
      write(writer, members(value));
    } else if (value instanceof SdkBytes) {
      writer.writeValue(Base64.getEncoder().encodeToString(((SdkBytes) value).asByteArray()));
    } else if (value instanceof Boolean) {
      writer.writeValue((Boolean) value);
    } else if (value instanceof Double) {
      writer.writeValue((Double) value);
    } else if (value instanceof Number) {
      writer.writeValue(((Number) value).longValue());
    } else {
      writer.writeValue(String.valueOf(value));
    }
  }
}
