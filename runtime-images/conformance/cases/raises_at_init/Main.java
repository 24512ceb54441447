package raises_at_init;

public class Main {
    public Main() {
        throw new IllegalStateException("no table");
    }

    public String handler(Object event) {
        return "never";
    }
}
