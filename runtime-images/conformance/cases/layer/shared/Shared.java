package shared;

public class Shared {
    public static final StringBuilder TOLD = new StringBuilder("from a layer");
}
