import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;

/** Reads a pattern and an event a line each; prints whether they match, or that it is refused. */
public class EventRulerVerdicts {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String pattern; (pattern = lines.readLine()) != null; ) {
            System.out.println(verdict(pattern, lines.readLine()));
        }
    }

    private static String verdict(String pattern, String event) throws Exception {
        var machine = new Machine();
        try {
            machine.addRule("rule", pattern);
        } catch (java.io.IOException | RuntimeException refused) {
            return "null";
        }
        return String.valueOf(!machine.rulesForJSONEvent(event).isEmpty());
    }
}
