package dev.pilotlight;

import com.amazonaws.services.lambda.runtime.api.client.AWSLambda;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Type;
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
  private static final String EVENT =
      "{\"text\":\"a\",\"numbers\":[1,2.5],\"none\":null,\"yes\":true,\"more\":{}}";
  private static final int START_STACK = 28 - 3; // of what /proc/self/stat says behind the name
  private static final int ENV_START = 50 - 3;
  private static final int ENV_END = 51 - 3;
  private static final Unsafe UNSAFE = unsafe();

  private Waiting() {}

  /** Wait for what comes by a descriptor, then run AWS's client; ends where nothing comes. */
  public static void main(String[] arguments) throws Throwable {
    rehearse();
    System.out.write(READY.getBytes(StandardCharsets.US_ASCII));
    System.out.flush();
    String document = read(Integer.parseInt(arguments[0]));
    if (document.isEmpty()) {
      return;
    }
    Map<String, String> variables = new HashMap<>();
    String[] parts = document.split("\0");
    for (int number = 1; number < parts.length; number++) { // the first is the folder, where it is
      String[] entry = parts[number].split("=", 2);
      variables.put(entry[0], entry[1]);
    }
    replaceJavas(variables);
    replaceKernels(variables);
    String handler = variables.get("_HANDLER");
    System.setProperty("sun.java.command", AWSLambda.class.getName() + " " + handler);
    AWSLambda.main(new String[] {handler});
  }

  /**
   * Do what the client does at its first event, but for what reads a variable or looks for the
   * function's own classes, as its loader of handlers does.
   */
  private static void rehearse() throws Exception {
    byte[] event = EVENT.getBytes(StandardCharsets.UTF_8);
    for (Type type : new Type[] {Map.class, Object.class}) {
      var serializer = JacksonFactory.getInstance().getSerializer(type);
      Object read = serializer.fromJson(new ByteArrayInputStream(event));
      serializer.toJson(read, new ByteArrayOutputStream());
    }
    String.format("%s %d", "", 1);
    Class.forName(AWSLambda.class.getName(), false, Waiting.class.getClassLoader());
  }

  private static Unsafe unsafe() {
    try {
      Field field = Unsafe.class.getDeclaredField("theUnsafe");
      field.setAccessible(true);
      return (Unsafe) field.get(null);
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Read a descriptor to its end, and close it: a function has none but the standard ones. */
  private static String read(int number) throws Exception {
    FileDescriptor descriptor = new FileDescriptor();
    UNSAFE.putInt(
        descriptor, UNSAFE.objectFieldOffset(FileDescriptor.class.getDeclaredField("fd")), number);
    // Buffered: a file's own readAllBytes asks for its position, which a pipe has not.
    try (var stream = new BufferedInputStream(new FileInputStream(descriptor))) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Put the variables where {@code System.getenv} and {@code ProcessBuilder} find them. */
  private static void replaceJavas(Map<String, String> variables) throws Exception {
    Field field = Class.forName("java.lang.ProcessEnvironment").getDeclaredField("theEnvironment");
    @SuppressWarnings("unchecked")
    var entries =
        (Map<Object, Object>)
            UNSAFE.getObject(UNSAFE.staticFieldBase(field), UNSAFE.staticFieldOffset(field));
    Class<?> name = Class.forName("java.lang.ProcessEnvironment$Variable");
    Class<?> value = Class.forName("java.lang.ProcessEnvironment$Value");
    entries.clear();
    for (var each : variables.entrySet()) {
      entries.put(external(name, each.getKey()), external(value, each.getValue()));
    }
  }

  private static Object external(Class<?> kind, String text) throws Exception {
    Object made = UNSAFE.allocateInstance(kind);
    Class<?> data = kind.getSuperclass();
    UNSAFE.putObject(made, UNSAFE.objectFieldOffset(data.getDeclaredField("str")), text);
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    UNSAFE.putObject(made, UNSAFE.objectFieldOffset(data.getDeclaredField("bytes")), bytes);
    return made;
  }

  /**
   * Write the variables over those of the start, which have room for them, longest to longest, and
   * have the kernel's array of pointers name these alone: children inherit it.
   */
  private static void replaceKernels(Map<String, String> variables) throws Exception {
    String stat = Files.readString(Path.of("/proc/self/stat"));
    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    long stack = Long.parseLong(fields[START_STACK]);
    long start = Long.parseLong(fields[ENV_START]);
    long pointers = stack + (UNSAFE.getLong(stack) + 2) * Long.BYTES; // behind those of arguments
    if (UNSAFE.getLong(pointers) != start) {
      throw new IllegalStateException("the variables are not where the kernel puts them");
    }
    List<byte[]> entries = new ArrayList<>();
    for (var each : variables.entrySet()) {
      entries.add((each.getKey() + "=" + each.getValue()).getBytes(StandardCharsets.UTF_8));
    }
    entries.sort(Comparator.comparingInt((byte[] entry) -> -entry.length));
    List<long[]> places = places(start, Long.parseLong(fields[ENV_END].trim()));
    places.sort(Comparator.comparingLong((long[] place) -> -place[1]));
    for (int number = 0; number < places.size(); number++) {
      long address = places.get(number)[0];
      UNSAFE.setMemory(address, places.get(number)[1], (byte) 0);
      boolean used = number < entries.size();
      UNSAFE.putLong(pointers + (long) number * Long.BYTES, used ? address : 0);
      for (int index = 0; used && index < entries.get(number).length; index++) {
        UNSAFE.putByte(address + index, entries.get(number)[index]);
      }
    }
  }

  /** Return address and length of each variable of the start. */
  private static List<long[]> places(long start, long end) {
    List<long[]> found = new ArrayList<>();
    long begin = start;
    for (long address = start; address < end; address++) {
      if (UNSAFE.getByte(address) == 0) {
        found.add(new long[] {begin, address - begin});
        begin = address + 1;
      }
    }
    return found;
  }
}
