package length;

public class Main {
    public int handler(String event) {
        return event.length();
    }
}
