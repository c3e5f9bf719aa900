#!/bin/sh
# kdc.sh DIR PORT: becomes the KDC of a new realm TEST.LOCAL at 127.0.0.1:PORT, with alice, whose password is
# "secret", and the services rcmd/gw.test, and rcmd/gw17.test to rcmd/gw20.test with keys of one encryption
# type each. In DIR it leaves krb5.conf, gw.keytab and alice.keytab, and then "ready".
set -e
dir=$1 port=$2
mkdir -p "$dir/db"
cat >"$dir/krb5.conf" <<X
[libdefaults]
 default_realm = TEST.LOCAL
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 TEST.LOCAL = {
  kdc = 127.0.0.1:$port
 }
[domain_realm]
 .test = TEST.LOCAL
X
cat >"$dir/kdc.conf" <<X
[kdcdefaults]
 kdc_listen = 127.0.0.1:$port
 kdc_tcp_listen = 127.0.0.1:$port
[realms]
 TEST.LOCAL = {
  database_name = $dir/db/principal
  key_stash_file = $dir/db/stash
  acl_file = $dir/db/kadm5.acl
  supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal aes128-cts-hmac-sha256-128:normal aes256-cts-hmac-sha384-192:normal
 }
X
export KRB5_CONFIG="$dir/krb5.conf" KRB5_KDC_PROFILE="$dir/kdc.conf"
kdb5_util create -s -r TEST.LOCAL -P master >/dev/null
kadmin.local >"$dir/kadmin.log" 2>&1 <<X
addprinc -pw secret alice
addprinc -pw secret +requires_preauth bob
addprinc -randkey rcmd/gw.test
addprinc -randkey rcmd/other.test
addprinc -randkey -e aes128-cts-hmac-sha1-96:normal rcmd/gw17.test
addprinc -randkey -e aes256-cts-hmac-sha1-96:normal rcmd/gw18.test
addprinc -randkey -e aes128-cts-hmac-sha256-128:normal rcmd/gw19.test
addprinc -randkey -e aes256-cts-hmac-sha384-192:normal rcmd/gw20.test
ktadd -k $dir/gw.keytab rcmd/gw.test
ktadd -k $dir/gw.keytab -norandkey rcmd/gw17.test rcmd/gw18.test rcmd/gw19.test rcmd/gw20.test
ktadd -k $dir/alice.keytab -norandkey alice
X
chmod 644 "$dir/gw.keytab"
touch "$dir/ready"
exec krb5kdc -n
