import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/** Prints each error code, its name, whether it is retriable, and whether it tells of stale metadata. */
public class Codes {
    public static void main(String[] args) {
        for (Errors error : Errors.values()) {
            ApiException exception = error.exception();
            System.out.println(error.code() + "\t" + error.name() + "\t" + (exception instanceof RetriableException)
                    + "\t" + (exception instanceof InvalidMetadataException));
        }
    }
}
