package hello;

public class Main {
    public static class Guest {
        public String name;
    }

    public record Greeting(String greeting) {}

    public Greeting handler(Guest guest) {
        return new Greeting("Hello, " + guest.name + "!");
    }
}
