package serializer;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Map;

public class Main {
    public String handler(Map<String, Object> event) {
        return event.toString();
    }

    public static class Own implements CustomPojoSerializer {
        @SuppressWarnings("unchecked")
        public <T> T fromJson(InputStream input, Type type) {
            return (T) Map.of("own", "yes");
        }

        public <T> T fromJson(String input, Type type) {
            return fromJson((InputStream) null, type);
        }

        public <T> void toJson(T value, OutputStream output, Type type) {
            try {
                output.write(("[\"" + value + "\"]").getBytes(StandardCharsets.UTF_8));
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }
}
