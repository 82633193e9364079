import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.errors.*;
public class Codes { public static void main(String[] a){ for (Errors e: Errors.values()) {
 ApiException x=e.exception();
 System.out.println(e.code()+"\t"+e.name()+"\t"+(x instanceof RetriableException)+"\t"+(x instanceof InvalidMetadataException)); } } }
