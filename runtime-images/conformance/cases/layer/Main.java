package layer;

import shared.Shared;

public class Main {
    public String handler(Object event) {
        return Shared.TOLD.toString();
    }
}
