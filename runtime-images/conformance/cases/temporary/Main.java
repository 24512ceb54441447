package temporary;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

public class Main {
    private final Path file = Path.of(System.getProperty("java.io.tmpdir"), "kept");

    public long handler(Object event) throws IOException {
        Files.writeString(file, "x", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        return Files.size(file);
    }
}
