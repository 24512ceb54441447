package exit;

public class Main {
    private int calls = 0;

    public int handler(Integer event) {
        calls += 1;
        if (event != null) {
            System.out.println("last words");
            System.exit(event);
        }
        return calls;
    }
}
