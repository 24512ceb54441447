package memory;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

public class Main {
    public int handler(Object event) {
        List<Object> kept = new ArrayList<>();
        for (;;) { // inside the heap Java keeps its own limit, so half is outside
            ByteBuffer outside = ByteBuffer.allocateDirect(2_000_000);
            while (outside.hasRemaining()) outside.put((byte) 'x');
            kept.add(outside);
            kept.add(new byte[2_000_000]);
        }
    }
}
