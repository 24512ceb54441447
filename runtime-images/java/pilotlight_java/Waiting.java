package dev.pilotlight;

import com.amazonaws.services.lambda.runtime.api.client.AWSLambda;
import com.amazonaws.services.lambda.runtime.api.client.EventHandlerLoader;
import com.amazonaws.services.lambda.runtime.api.client.HandlerInfo;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Type;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import sun.misc.Unsafe;

/**
 * A Java that is started before its function is known waits here, with everything loaded.
 *
 * <p>The agent's end is its {@code runtimes/prepared}. The function's variables replace those of the
 * start twice: where Java keeps them, and, for native code, where the kernel laid them.
 */
public final class Waiting {
  private static final String READY = "waiting\n";
  private static final String PROPERTY = "-D";
  private static final String EVENT =
      "{\"text\":\"a\",\"numbers\":[1,2.5],\"none\":null,\"yes\":true,\"more\":{}}";
  private static final int ENV_START = 49; // fields of /proc/self/stat behind the name's, proc(5)
  private static final int ENV_END = 50;
  private static final int BEFORE = 2;

  private Waiting() {}

  /** Wait, then run AWS's client with what came; ends where nothing comes. */
  public static void main(String[] arguments) throws Throwable {
    rehearse();
    System.out.write(READY.getBytes(StandardCharsets.US_ASCII));
    System.out.flush();
    String document = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    if (document.isEmpty()) {
      return;
    }
    Map<String, String> variables = new HashMap<>();
    String[] parts = document.split("\0");
    for (int number = 1; number < parts.length; number++) { // the first is the folder, where it is
      String[] entry = parts[number].split("=", 2);
      if (entry[0].startsWith(PROPERTY)) {
        System.setProperty(entry[0].substring(PROPERTY.length()), entry[1]);
      } else {
        variables.put(entry[0], entry[1]);
      }
    }
    replaceEnvironment(variables);
    AWSLambda.main(new String[] {variables.get("_HANDLER")});
  }

  /** Do what the client does at its first event, but for what reads a variable. */
  private static void rehearse() throws Exception {
    ClassLoader own = Waiting.class.getClassLoader();
    try (URLClassLoader nothing = new URLClassLoader(new URL[0], own)) {
      EventHandlerLoader.loadEventHandler(HandlerInfo.fromString("java.util.HashSet::add", nothing));
    }
    byte[] event = EVENT.getBytes(StandardCharsets.UTF_8);
    for (Type type : new Type[] {Map.class, Object.class}) {
      var serializer = JacksonFactory.getInstance().getSerializer(type);
      Object read = serializer.fromJson(new ByteArrayInputStream(event));
      serializer.toJson(read, new ByteArrayOutputStream());
    }
    String.format("%s %d", "", 1);
    Class.forName(AWSLambda.class.getName(), false, own);
  }

  private static void replaceEnvironment(Map<String, String> variables) throws Exception {
    Field field = Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    Unsafe unsafe = (Unsafe) field.get(null);
    replaceJavas(unsafe, variables);
    replaceKernels(unsafe, variables);
  }

  /** Put the variables where {@code System.getenv} and {@code ProcessBuilder} find them. */
  private static void replaceJavas(Unsafe unsafe, Map<String, String> variables) throws Exception {
    Field field = Class.forName("java.lang.ProcessEnvironment").getDeclaredField("theEnvironment");
    @SuppressWarnings("unchecked")
    var entries =
        (Map<Object, Object>)
            unsafe.getObject(unsafe.staticFieldBase(field), unsafe.staticFieldOffset(field));
    Class<?> name = Class.forName("java.lang.ProcessEnvironment$Variable");
    Class<?> value = Class.forName("java.lang.ProcessEnvironment$Value");
    entries.clear();
    for (var each : variables.entrySet()) {
      entries.put(
          external(unsafe, name, each.getKey()), external(unsafe, value, each.getValue()));
    }
  }

  private static Object external(Unsafe unsafe, Class<?> kind, String text) throws Exception {
    Object made = unsafe.allocateInstance(kind);
    Class<?> data = kind.getSuperclass();
    unsafe.putObject(made, unsafe.objectFieldOffset(data.getDeclaredField("str")), text);
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    unsafe.putObject(made, unsafe.objectFieldOffset(data.getDeclaredField("bytes")), bytes);
    return made;
  }

  /** Write the variables over those of the start, which have room for them: longest to longest. */
  private static void replaceKernels(Unsafe unsafe, Map<String, String> variables)
      throws Exception {
    String stat = Files.readString(Path.of("/proc/self/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    long start = Long.parseLong(fields[ENV_START - BEFORE]);
    long end = Long.parseLong(fields[ENV_END - BEFORE].trim());
    List<byte[]> entries = new ArrayList<>();
    for (var each : variables.entrySet()) {
      entries.add((each.getKey() + "=" + each.getValue()).getBytes(StandardCharsets.UTF_8));
    }
    entries.sort(Comparator.comparingInt((byte[] entry) -> -entry.length));
    List<long[]> places = places(unsafe, start, end);
    places.sort(Comparator.comparingLong((long[] place) -> -place[1]));
    for (int number = 0; number < places.size(); number++) {
      byte[] entry = number < entries.size() ? entries.get(number) : new byte[0];
      long[] place = places.get(number);
      unsafe.setMemory(place[0], place[1], (byte) 0);
      for (int index = 0; index < entry.length; index++) {
        unsafe.putByte(place[0] + index, entry[index]);
      }
    }
  }

  /** Return address and length of each variable of the start. */
  private static List<long[]> places(Unsafe unsafe, long start, long end) {
    List<long[]> found = new ArrayList<>();
    long begin = start;
    for (long address = start; address < end; address++) {
      if (unsafe.getByte(address) == 0) {
        found.add(new long[] {begin, address - begin});
        begin = address + 1;
      }
    }
    return found;
  }
}
