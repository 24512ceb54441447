package sleep;

public class Main {
    public String handler(Integer event) throws InterruptedException {
        System.out.println("going to sleep");
        Thread.sleep(event * 1000);
        return "awake";
    }
}
