import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.apache.flink.statefun.sdk.java.Context;
import org.apache.flink.statefun.sdk.java.StatefulFunction;
import org.apache.flink.statefun.sdk.java.StatefulFunctionSpec;
import org.apache.flink.statefun.sdk.java.StatefulFunctions;
import org.apache.flink.statefun.sdk.java.TypeName;
import org.apache.flink.statefun.sdk.java.ValueSpec;
import org.apache.flink.statefun.sdk.java.handler.RequestReplyHandler;
import org.apache.flink.statefun.sdk.java.io.KafkaEgressMessage;
import org.apache.flink.statefun.sdk.java.message.EgressMessageBuilder;
import org.apache.flink.statefun.sdk.java.message.Message;
import org.apache.flink.statefun.sdk.java.message.MessageBuilder;
import org.apache.flink.statefun.sdk.java.slice.Slices;
import org.apache.flink.statefun.sdk.java.types.SimpleType;
import org.apache.flink.statefun.sdk.java.types.Type;
import org.apache.flink.statefun.sdk.java.types.Types;

/**
 * The conformance functions with StateFun's own Java SDK, unmodified. Their contract is test/conformance/commands.ts.
 * Prints the port it listens on. A failure is answered as the SDK's documentation answers it (through Undertow):
 * status 200, no content type, no body.
 */
public final class Actor implements StatefulFunction {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final TypeName ACTOR = TypeName.typeNameFromString("conformance/actor");
  private static final TypeName RESULTS = TypeName.typeNameFromString("conformance/results");
  private static final TypeName RAW = TypeName.typeNameFromString("conformance/raw");
  private static final Duration EXPIRE = Duration.ofMillis(8_000);
  private static final String TOPIC = System.getenv().getOrDefault("RESULTS_TOPIC", "results");
  private static final Type<JsonNode> COMMAND = json("conformance/command");
  private static final Type<JsonNode> PROFILE = json("conformance/profile");
  private static final Map<String, Integer> FAILURES = new ConcurrentHashMap<>();

  /** A type of values and how they stand in JSON: a long is decimal text. */
  private record Plain<T>(Type<T> type, java.util.function.Function<JsonNode, T> read) {
    Object show(T value) {
      return value instanceof Long ? value.toString() : value;
    }

    Message message(String id, JsonNode value) {
      return MessageBuilder.forAddress(ACTOR, id).withCustomType(type, read.apply(value)).build();
    }
  }

  /** A state and how its values stand in JSON. */
  private record State<T>(ValueSpec<T> spec, Plain<T> plain) {
    void set(Context context, JsonNode value) {
      context.storage().set(spec, plain.read().apply(value));
    }

    Object get(Context context) {
      return context.storage().get(spec).map(plain::show).orElse(null);
    }
  }

  private static final Plain<Boolean> BOOL = new Plain<>(Types.booleanType(), JsonNode::booleanValue);
  private static final Plain<Integer> INT = new Plain<>(Types.integerType(), JsonNode::intValue);
  private static final Plain<Long> LONG = new Plain<>(Types.longType(), value -> Long.parseLong(value.textValue()));
  private static final Plain<Float> FLOAT = new Plain<>(Types.floatType(), JsonNode::floatValue);
  private static final Plain<Double> DOUBLE = new Plain<>(Types.doubleType(), JsonNode::doubleValue);
  private static final Plain<String> STRING = new Plain<>(Types.stringType(), JsonNode::textValue);
  private static final Plain<JsonNode> JSON = new Plain<>(PROFILE, value -> value);
  private static final Map<String, Plain<?>> PLAIN =
      Map.of("bool", BOOL, "int", INT, "long", LONG, "float", FLOAT, "double", DOUBLE, "string", STRING, "profile", JSON);

  private static final State<Integer> COUNT = new State<>(ValueSpec.named("count").withIntType(), INT);
  private static final List<State<?>> STATES =
      List.of(
          new State<>(ValueSpec.named("flag").withBooleanType(), BOOL),
          new State<>(ValueSpec.named("whole").withIntType(), INT),
          new State<>(ValueSpec.named("big").withLongType(), LONG),
          new State<>(ValueSpec.named("small").withFloatType(), FLOAT),
          new State<>(ValueSpec.named("wide").withDoubleType(), DOUBLE),
          new State<>(ValueSpec.named("text").withUtf8StringType(), STRING),
          new State<>(ValueSpec.named("profile").withCustomType(PROFILE), JSON),
          COUNT,
          new State<>(ValueSpec.named("written").thatExpireAfterWrite(EXPIRE).withIntType(), INT),
          new State<>(ValueSpec.named("called").thatExpiresAfterCall(EXPIRE).withIntType(), INT));

  private static State<?> state(JsonNode operation) {
    String name = operation.get("state").textValue();
    return STATES.stream().filter(state -> state.spec().name().equals(name)).findFirst().orElseThrow();
  }

  private static Type<JsonNode> json(String typename) {
    return SimpleType.simpleImmutableTypeFrom(
        TypeName.typeNameFromString(typename), MAPPER::writeValueAsBytes, MAPPER::readTree);
  }

  @Override
  public CompletableFuture<Void> apply(Context context, Message message) throws Throwable {
    if (message.is(COMMAND)) {
      JsonNode command = message.as(COMMAND);
      for (JsonNode operation : command.get("operations")) perform(context, command.get("tag").textValue(), operation);
      return context.done();
    }
    for (Plain<?> plain : PLAIN.values()) {
      if (message.is(plain.type())) {
        reportMessage(context, message, plain);
        return context.done();
      }
    }
    throw new IllegalArgumentException("a message of unknown type " + message.valueTypeName().asTypeNameString());
  }

  private static <T> void reportMessage(Context context, Message message, Plain<T> plain) throws IOException {
    Object value = plain.show(message.as(plain.type()));
    report(context, "type", message.valueTypeName().asTypeNameString(), "value", value, "caller", caller(context));
  }

  private static String caller(Context context) {
    return context.caller().map(address -> address.id()).orElse(null);
  }

  /** Names and values by turns. */
  private static void report(Context context, Object... pairs) throws IOException {
    Map<String, Object> fields = new HashMap<>();
    for (int i = 0; i < pairs.length; i += 2) fields.put((String) pairs[i], pairs[i + 1]);
    context.send(kafka(context).withUtf8Value(MAPPER.writeValueAsString(fields)).build());
  }

  private static KafkaEgressMessage.Builder kafka(Context context) {
    return KafkaEgressMessage.forEgress(RESULTS).withTopic(TOPIC).withUtf8Key(context.self().id());
  }

  private static void perform(Context context, String tag, JsonNode operation) throws Exception {
    switch (operation.get("do").textValue()) {
      case "set" -> state(operation).set(context, operation.get("value"));
      case "delete" -> context.storage().remove(state(operation).spec());
      case "get" -> {
        State<?> state = state(operation);
        report(context, "tag", tag, "state", state.spec().name(), "value", state.get(context));
      }
      case "count" -> context.storage().set(COUNT.spec(), context.storage().get(COUNT.spec()).orElse(0) + 1);
      case "caller" -> report(context, "tag", tag, "caller", caller(context));
      case "report" -> report(context, "tag", tag);
      case "send" -> context.send(command(operation));
      case "send_value" -> {
        Plain<?> plain = PLAIN.get(operation.get("type").textValue());
        context.send(plain.message(operation.get("id").textValue(), operation.get("value")));
      }
      case "after" -> sendAfter(context, operation);
      case "cancel" -> context.cancelDelayedMessage(operation.get("token").textValue());
      case "kafka" -> sendKafka(context, operation.get("kind").textValue(), operation.get("value"));
      case "raw" -> sendRaw(context, PLAIN.get(operation.get("type").textValue()), operation.get("value"));
      case "fail" -> fail(operation.get("mark").textValue(), operation.get("times").intValue());
      case "hold" -> Thread.sleep(operation.get("ms").longValue());
      default -> throw new IllegalArgumentException("unknown operation " + operation);
    }
  }

  private static Message command(JsonNode operation) {
    String id = operation.get("id").textValue();
    return MessageBuilder.forAddress(ACTOR, id).withCustomType(COMMAND, operation.get("command")).build();
  }

  private static void sendAfter(Context context, JsonNode operation) {
    Duration delay = Duration.ofMillis(operation.get("ms").longValue());
    if (operation.has("token")) context.sendAfter(delay, operation.get("token").textValue(), command(operation));
    else context.sendAfter(delay, command(operation));
  }

  private static void sendKafka(Context context, String kind, JsonNode value) {
    KafkaEgressMessage.Builder record = kafka(context);
    context.send(
        switch (kind) {
          case "text" -> record.withUtf8Value(value.textValue()).build();
          case "bytes" -> record.withValue(HexFormat.of().parseHex(value.textValue())).build();
          case "integer" -> record.withValue(ByteBuffer.allocate(4).putInt(value.intValue()).array()).build();
          case "int" -> record.withValue(Types.integerType(), value.intValue()).build();
          case "profile" -> record.withValue(PROFILE, value).build();
          case "keyless" ->
              KafkaEgressMessage.forEgress(RESULTS).withTopic(TOPIC).withUtf8Value(value.textValue()).build();
          default -> throw new IllegalArgumentException(kind);
        });
  }

  private static <T> void sendRaw(Context context, Plain<T> plain, JsonNode value) {
    context.send(EgressMessageBuilder.forEgress(RAW).withCustomType(plain.type(), plain.read().apply(value)).build());
  }

  private static void fail(String mark, int times) {
    int failed = FAILURES.getOrDefault(mark, 0);
    if (failed >= times) return;
    FAILURES.put(mark, failed + 1);
    throw new IllegalStateException("failure " + (failed + 1) + " of " + times + " at " + mark);
  }

  private static void answer(RequestReplyHandler functions, HttpExchange exchange) throws IOException {
    byte[] request = exchange.getRequestBody().readAllBytes();
    try {
      byte[] reply = functions.handle(Slices.wrap(request)).get().toByteArray();
      exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
      exchange.sendResponseHeaders(200, reply.length == 0 ? -1 : reply.length);
      exchange.getResponseBody().write(reply);
    } catch (Exception failure) {
      exchange.getResponseHeaders().set("Status", "500");
      exchange.sendResponseHeaders(200, -1);
    }
    exchange.close();
  }

  public static void main(String[] arguments) throws IOException {
    ValueSpec<?>[] specs = STATES.stream().map(State::spec).toArray(ValueSpec[]::new);
    RequestReplyHandler functions =
        new StatefulFunctions()
            .withStatefulFunction(StatefulFunctionSpec.builder(ACTOR).withSupplier(Actor::new).withValueSpecs(specs))
            .requestReplyHandler();
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", exchange -> answer(functions, exchange));
    server.setExecutor(Executors.newFixedThreadPool(16));
    server.start();
    System.out.println("listening " + server.getAddress().getPort());
  }
}
