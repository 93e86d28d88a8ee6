//! Certificates and assertions, before judges of others.

use super::*;

#[tokio::test]
async fn a_certificate_is_named_by_its_digest() {
    let folder = std::env::temp_dir().join(format!("scim-bridge-cert-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).unwrap();
    let run = |args: &[&str]| {
        let output = Command::new("openssl")
            .current_dir(&folder)
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    run(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "k.pem",
        "-out",
        "c.pem",
        "-days",
        "2",
        "-subj",
        "/CN=bridge",
    ]);
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name))
            .unwrap()
            .replace('\n', "\\n")
    };
    let given = json!({"id": "client", "key": read("k.pem"), "other": read("c.pem")});
    let print = String::from_utf8(run(&[
        "x509",
        "-in",
        "c.pem",
        "-noout",
        "-fingerprint",
        "-sha256",
    ]))
    .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"client_credentials\"\ntoken = \"https://login.acme.example/token\"\n\
                id = \"{{ id }}\"\nclient = \"assertion\"\n\
                key = { algorithm = \"PS256\", private = \"{{ key }}\", certificate = \"{{ other }}\" }";
    let (asked, _) = granted(auth, given).await;
    let header = asked["client_assertion"].split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let digest: Vec<u8> = print
        .trim()
        .rsplit('=')
        .next()
        .unwrap()
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    assert_eq!(header["x5t#S256"], json!(URL_SAFE_NO_PAD.encode(digest)));
}

/// An independent program reads and verifies what we sign.
#[tokio::test]
async fn a_saml_assertion_holds_before_an_independent_judge() {
    if Command::new("xmlsec1").arg("--version").output().is_err() {
        return left_out("xmlsec1 is not installed: `make tools`");
    }
    let rsa = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = rsa.as_der().unwrap();
    let public: PublicKeyX509Der<'static> = rsa.public_key().as_der().unwrap();
    let auth = "[auth]\nkind = \"oauth2\"\ngrant = \"saml2_bearer\"\ntoken = \"https://api4.acme.example/oauth/token?a=1&b=2\"\n\
                id = \"{{ id }}\"\nextra = { company_id = \"acme\" }\n\
                key = { algorithm = \"RS256\", private = \"{{ key }}\" }\n\
                claims = { iss = \"{{ id }}\", sub = \"{{ other }}\", aud = \"www.acme.example\", api_key = \"{{ id }}\" }";
    let subject = "A & <b> \"ü\" 'x' > y";
    let given = json!({"id": "api \"key\" > &", "other": subject, "key": pem("PRIVATE KEY", der.as_ref())});
    let (asked, _) = granted(auth, given).await;
    assert_eq!(
        asked["grant_type"],
        "urn:ietf:params:oauth:grant-type:saml2-bearer"
    );
    assert_eq!(asked["company_id"], "acme");
    let xml = String::from_utf8(STANDARD.decode(&asked["assertion"]).unwrap()).unwrap();
    let folder = std::env::temp_dir().join(format!("scim-bridge-saml-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).unwrap();
    let key = pem("PUBLIC KEY", public.as_ref()).replace("\\n", "\n");
    std::fs::write(folder.join("key.pem"), key).unwrap();
    let verify = |name: &str, xml: &str| {
        std::fs::write(folder.join(name), xml).unwrap();
        let output = Command::new("xmlsec1")
            .current_dir(&folder)
            .args(["--verify", "--pubkey-pem", "key.pem", "--id-attr:ID"])
            .args(["urn:oasis:names:tc:SAML:2.0:assertion:Assertion", name])
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (good, said) = verify("good.xml", &xml);
    assert!(good, "{said}\n{xml}");
    assert!(
        !verify("bad.xml", &xml.replace("www.acme", "www.acne")).0,
        "a changed assertion must fail"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(xml.contains("Recipient=\"https://api4.acme.example/oauth/token?a=1&amp;b=2\""));
    assert!(
        xml.contains(">A &amp; &lt;b&gt; \"ü\" 'x' &gt; y</saml:NameID>"),
        "{xml}"
    );
}
