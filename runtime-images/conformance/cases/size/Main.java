package size;

public class Main {
    public String handler(Integer event) {
        return "x".repeat(event);
    }
}
