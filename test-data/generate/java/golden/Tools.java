package golden;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.LinkedHashMap;
import java.util.Map;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import org.apache.cassandra.tools.SSTableExport;
import org.apache.cassandra.tools.SSTableMetadataViewer;

/**
 * Runs the main methods of sstabledump and sstablemetadata many times in one JVM. An order is a JSON line
 * {"tool": dump | metadata, "args": [..]}, its answer {"out": what the tool printed, "failure": what it threw}.
 */
public final class Tools
{
    private static final class Exit extends SecurityException
    {
    }

    public static void main(String[] args) throws Exception
    {
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setSecurityManager(new SecurityManager()
        {
            @Override
            public void checkPermission(Permission permission)
            {
            }

            @Override
            public void checkPermission(Permission permission, Object context)
            {
            }

            @Override
            public void checkExit(int status)
            {
                throw new Exit();
            }
        });
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = orders.readLine()) != null;)
        {
            JsonNode order = json.readTree(line);
            String[] arguments = new String[order.get("args").size()];
            for (int i = 0; i < arguments.length; i++)
                arguments[i] = order.get("args").get(i).asText();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            Map<String, String> answer = new LinkedHashMap<>();
            try
            {
                if (order.get("tool").asText().equals("dump"))
                    SSTableExport.main(arguments);
                else
                    SSTableMetadataViewer.main(arguments);
            }
            catch (Exit e)
            {
                // The tools end by leaving the JVM.
            }
            catch (Throwable t)
            {
                t.printStackTrace();
                answer.put("failure", t.toString());
            }
            System.out.flush();
            answer.put("out", out.toString(StandardCharsets.UTF_8));
            answers.println(json.writeValueAsString(answer));
        }
        Runtime.getRuntime().halt(0);
    }
}
