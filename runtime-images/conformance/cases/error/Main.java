package error;

public class Main {
    public static class ShopError extends RuntimeException {
        ShopError(String message) {
            super(message);
        }
    }

    public String handler(String event) {
        System.out.println("called with " + event);
        if (event != null) throw new ShopError(event);
        return "fine";
    }
}
