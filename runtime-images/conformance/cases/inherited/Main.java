package inherited;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

public class Main {
    public Map<String, Object> handler(Map<String, Object> event) throws IOException {
        Process child = new ProcessBuilder("/usr/bin/env", "-0").start();
        String said = new String(child.getInputStream().readAllBytes());
        return Map.of(
            "variables", List.of(said.split("\0", -1)).subList(0, said.split("\0", -1).length - 1),
            "input", Files.readSymbolicLink(Path.of("/proc/self/fd/0")).toString(),
            "temporary", List.of(
                System.getProperty("java.io.tmpdir"),
                Files.createTempFile("a", "b").getParent().toString()));
    }
}
