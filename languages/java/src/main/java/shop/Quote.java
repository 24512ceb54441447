package shop;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.math.BigDecimal;
import java.util.List;

/** A quote for what somebody wants to buy. */
public class Quote implements RequestHandler<Quote.Request, Quote.Offer> {
    public record Item(String name, BigDecimal price, int count) {}

    public record Request(String customer, List<Item> items) {}

    public record Offer(String customer, BigDecimal total) {}

    @Override
    public Offer handleRequest(Request request, Context context) {
        BigDecimal total = request.items().stream()
            .map(item -> item.price().multiply(BigDecimal.valueOf(item.count())))
            .reduce(BigDecimal.ZERO, BigDecimal::add);
        context.getLogger().log("a quote of " + total + " for " + request.customer(), LogLevel.INFO);
        return new Offer(request.customer(), total);
    }
}
