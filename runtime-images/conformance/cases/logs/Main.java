package logs;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.util.Map;

public class Main {
    public void handler(Map<String, Object> event, Context context) {
        System.out.println("printed");
        context.getLogger().log("for developers", LogLevel.DEBUG);
        context.getLogger().log("two\nlines", LogLevel.WARN);
        context.getLogger().log("broken: cup", LogLevel.ERROR);
    }
}
