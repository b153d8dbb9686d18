import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CRL;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.CertPathTrustManagerParameters;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * What Java's TLS says to certificates: {@code java Handshake.java FOLDER NAME…}. Folder and output are as in main.go, with root.pem: Java is
 * given the root alone, because it ends a chain at the first certificate that it trusts and looks no further.
 */
public class Handshake {
    static final int PATIENCE_MS = 20_000;

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        SSLContext good = context(keys(folder.resolve("good")), strict(folder));
        for (int at = 1; at < arguments.length; at++) {
            SSLContext shown = context(keys(folder.resolve(arguments[at])), new Careless());
            String asServer = shake(shown, good)[1];
            String asClient = shake(good, shown)[0];
            System.out.println(arguments[at] + " " + (asServer == null) + " " + (asClient == null));
            System.err.println(arguments[at] + " " + asServer + " | " + asClient);
        }
    }

    /** Return what the server says to the client, and the client to the server; null where one believes the other. */
    static String[] shake(SSLContext server, SSLContext client) throws Exception {
        try (SSLServerSocket listener = (SSLServerSocket) server.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            listener.setEnabledProtocols(new String[] {"TLSv1.3"});
            listener.setNeedClientAuth(true);
            CompletableFuture<String> ofServer = CompletableFuture.supplyAsync(() -> {
                try (SSLSocket one = (SSLSocket) listener.accept()) {
                    one.setSoTimeout(PATIENCE_MS);
                    one.startHandshake();
                    return null;
                } catch (Exception error) {
                    return String.valueOf(error.getMessage());
                }
            });
            String ofClient = null;
            try (Socket plain = new Socket(listener.getInetAddress(), listener.getLocalPort());
                    SSLSocket one = (SSLSocket) client.getSocketFactory().createSocket(plain, "localhost", listener.getLocalPort(), true)) {
                one.setSoTimeout(PATIENCE_MS);
                one.setEnabledProtocols(new String[] {"TLSv1.3"});
                var parameters = one.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                one.setSSLParameters(parameters);
                try {
                    one.startHandshake();
                } catch (Exception error) {
                    ofClient = String.valueOf(error.getMessage());
                }
            }
            return new String[] {ofServer.get(), ofClient};
        }
    }

    static SSLContext context(KeyManager own, TrustManager trust) throws Exception {
        SSLContext made = SSLContext.getInstance("TLSv1.3");
        made.init(new KeyManager[] {own}, new TrustManager[] {trust}, null);
        return made;
    }

    /** Trust as a broker does that checks lists: PKIX, revocation on, lists from files. */
    static TrustManager strict(Path folder) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate root = (X509Certificate) factory.generateCertificate(Files.newInputStream(folder.resolve("root.pem")));
        Collection<? extends CRL> lists = factory.generateCRLs(Files.newInputStream(folder.resolve("revoked.pem")));
        PKIXBuilderParameters parameters = new PKIXBuilderParameters(Set.of(new TrustAnchor(root, null)), new X509CertSelector());
        parameters.setRevocationEnabled(true);
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists)));
        TrustManagerFactory made = TrustManagerFactory.getInstance("PKIX");
        made.init(new CertPathTrustManagerParameters(parameters));
        return made.getTrustManagers()[0];
    }

    static KeyManager keys(Path place) throws Exception {
        String text = Files.readString(place.resolve("identity.pem"));
        int end = text.indexOf("-----END PRIVATE KEY-----");
        byte[] key = Base64.getMimeDecoder().decode(text.substring(text.indexOf('\n'), end));
        InputStream rest = new ByteArrayInputStream(text.substring(text.indexOf("-----BEGIN CERTIFICATE-----")).getBytes());
        List<X509Certificate> chain = new ArrayList<>();
        CertificateFactory.getInstance("X.509").generateCertificates(rest).forEach(one -> chain.add((X509Certificate) one));
        PrivateKey own = KeyFactory.getInstance(chain.get(0).getPublicKey().getAlgorithm()).generatePrivate(new PKCS8EncodedKeySpec(key));
        return new Shown(own, chain.toArray(new X509Certificate[0]));
    }

    /** Shows its certificate, whatever the other side asks for. */
    static class Shown extends X509ExtendedKeyManager {
        final PrivateKey key;
        final X509Certificate[] chain;

        Shown(PrivateKey key, X509Certificate[] chain) {
            this.key = key;
            this.chain = chain;
        }

        String fits(String kind) {
            return kind.startsWith("EC") == chain[0].getPublicKey().getAlgorithm().equals("EC") ? "own" : null;
        }

        public String[] getClientAliases(String kind, Principal[] issuers) { return new String[] {"own"}; }
        public String[] getServerAliases(String kind, Principal[] issuers) { return new String[] {"own"}; }
        public String chooseClientAlias(String[] kinds, Principal[] issuers, Socket socket) {
            for (String kind : kinds) if (fits(kind) != null) return "own";
            return null;
        }
        public String chooseServerAlias(String kind, Principal[] issuers, Socket socket) { return fits(kind); }
        public String chooseEngineClientAlias(String[] kinds, Principal[] issuers, SSLEngine engine) { return chooseClientAlias(kinds, issuers, null); }
        public String chooseEngineServerAlias(String kind, Principal[] issuers, SSLEngine engine) { return fits(kind); }
        public X509Certificate[] getCertificateChain(String alias) { return chain; }
        public PrivateKey getPrivateKey(String alias) { return key; }
    }

    /** An attacker, who believes everybody. */
    static class Careless extends X509ExtendedTrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String kind) {}
        public void checkServerTrusted(X509Certificate[] chain, String kind) {}
        public void checkClientTrusted(X509Certificate[] chain, String kind, Socket socket) {}
        public void checkServerTrusted(X509Certificate[] chain, String kind, Socket socket) {}
        public void checkClientTrusted(X509Certificate[] chain, String kind, SSLEngine engine) {}
        public void checkServerTrusted(X509Certificate[] chain, String kind, SSLEngine engine) {}
        public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
    }
}
