package environment;

import java.io.IOException;
import java.util.Map;

public class Main {
    public Map<String, Object> handler(Map<String, Object> event) throws IOException {
        Process child = new ProcessBuilder("/bin/ls", "/proc/self/fd").start();
        String listed = new String(child.getInputStream().readAllBytes()).trim();
        return Map.of(
            "variables", System.getenv(),
            "folder", System.getProperty("user.dir"),
            "inherited", listed.split("\\s+"));
    }
}
