package no_json;

import java.util.Map;

public class Main {
    public static class Unreadable {
        public String getName() {
            throw new IllegalStateException("no name");
        }
    }

    public Unreadable handler(Map<String, Object> event) {
        return new Unreadable();
    }
}
