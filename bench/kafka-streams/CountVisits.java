import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;

/**
 * The yardstick: counts the records of a topic by key as anyone would with Kafka Streams, exactly once, in RocksDB with a changelog,
 * in one thread; all else as Kafka Streams has it by default. Neither key nor value is decoded.
 *
 * Arguments: bootstrap servers, topic (one partition), number of records in it, application id, folder for the state. Prints one line
 * of JSON: the time from the first record to the commit of the last one, and the CPU time of the process meanwhile.
 */
public final class CountVisits {
  private static volatile long startNs;
  private static volatile long startCpuNs;

  public static void main(String[] arguments) throws Exception {
    String bootstrap = arguments[0];
    String topic = arguments[1];
    long records = Long.parseLong(arguments[2]);
    String application = arguments[3];

    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put("auto.offset.reset", "earliest");

    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(topic, Consumed.with(Serdes.Bytes(), Serdes.ByteArray()))
        .peek((key, value) -> start())
        .groupByKey(Grouped.with(Serdes.Bytes(), Serdes.ByteArray()))
        .count(Materialized.as("visits"));

    AtomicReference<Throwable> failure = new AtomicReference<>();
    try (KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      streams.setUncaughtExceptionHandler(error -> {
        failure.set(error);
        return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
      });
      streams.start();
      TopicPartition partition = new TopicPartition(topic, 0);
      while (committed(admin, application, partition) < records) {
        if (failure.get() != null) throw new IllegalStateException(failure.get());
        Thread.sleep(20);
      }
      double seconds = (System.nanoTime() - startNs) / 1e9;
      double cpuUs = (cpuNs() - startCpuNs) / 1e3 / records;
      System.out.printf(Locale.ROOT, "{\"records\":%d,\"seconds\":%.3f,\"cpuUs\":%.3f}%n", records, seconds, cpuUs);
    }
  }

  private static void start() {
    if (startNs != 0) return;
    startCpuNs = cpuNs();
    startNs = System.nanoTime();
  }

  private static long cpuNs() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  private static long committed(Admin admin, String group, TopicPartition partition) {
    try {
      OffsetAndMetadata offset =
          admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition);
      return offset == null ? 0 : offset.offset();
    } catch (Exception notYet) {
      // The group is made by the first commit.
      return 0;
    }
  }
}
