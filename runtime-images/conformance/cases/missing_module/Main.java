package missing_module;

import shared.Shared;

public class Main {
    private final StringBuilder told = Shared.TOLD;

    public String handler(Object event) {
        return told.toString();
    }
}
