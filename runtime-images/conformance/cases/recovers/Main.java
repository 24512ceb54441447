package recovers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

public class Main {
    public Main() throws IOException {
        Path mark = Path.of(System.getProperty("java.io.tmpdir"), "tried");
        if (!Files.exists(mark)) {
            Files.createFile(mark);
            throw new IOException("the first time");
        }
    }

    public String handler(Object event) {
        return "recovered";
    }
}
