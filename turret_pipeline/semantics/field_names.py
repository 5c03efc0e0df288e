"""What a field is called, where that says what its values mean: a hint, never a proof.

A version 3.10 and an amount of 3.10, a postcode and a count, a customer and a product look the same; people name them
apart. Values always have to fit the hint as well (`analysis.fields.verdict`).
"""

from __future__ import annotations

import re

SPOKEN, VERSION, POSTCODE, ADDRESS, FULL_NAME, ONE_NAME, ROLE, THING = (
    "spoken", "version", "postcode", "address", "full name", "one name", "role", "thing"
)  # fmt: skip
"""Said by people; versions; postal codes; postal addresses; a person's name, all or part of it; who does something, by
name or otherwise; and what is no person though its values may be spelled like one."""

_LAST = {
    SPOKEN: "prompt message text query question input content utterance comment feedback answer response completion "
    "reply "
    "output instruction request_text utterances prompts messages queries questions",
    VERSION: "v version versions ver semver ios android macos osversion appversion python py node nodejs php ruby "
    "rails java "
    "jdk kernel firmware sdk postgres postgresql mysql django react angular ubuntu debian windows golang dotnet "
    "release os",
    POSTCODE: "zip zipcode postcode postalcode postal plz postleitzahl pincode cep eircode postnummer postnr psc "
    "zipcodes postcodes 郵便番号 邮编 우편번호",
    ADDRESS: "address addr addresses street adresse anschrift straße strasse direccion dirección endereco endereço "
    "indirizzo "
    "adres adress адрес адреса 住所 地址 주소 عنوان כתובת",
    FULL_NAME: "person contact patient passenger guest recipient student teacher doctor applicant candidate "
    "attendee participant "
    "traveler traveller nurse physician salesperson cardholder signatory people fullname personname imię имя фио 姓名 "
    "名前 氏名 이름 성명 الاسم اسم שם",
    ONE_NAME: "firstname lastname surname forename givenname familyname middlename maidenname vorname nachname "
    "familienname "
    "prenom prénom apellido apellidos cognome sobrenome nazwisko фамилия отчество",
    ROLE: "name customer client user buyer seller author sender receiver assignee owner employee host agent caller "
    "driver member "
    "manager nickname reviewer reporter requester creator subscriber tenant beneficiary holder visitor speaker "
    "instructor "
    "lawyer rep operator by kunde kundin client "
    "cliente klient клиент 顧客 客户 고객 nom nombre nome naam namn navn nazwa",
    THING: "product item company organisation organization org city town country state region place venue "
    "restaurant hotel "
    "store shop brand model file event job title position department team plan campaign category song track album "
    "movie "
    "book game dish page screen button feature tag label segment topic intent language currency domain app device "
    "browser "
    "project repo branch course drug disease artist location destination origin airport station stadt ort produkt "
    "ville "
    "ciudad cidade produit producto produto firma marke 商品 产品 都市 城市",
}
"""By the last word of a field's name."""
_NAMES = frozenset({"name", "names", "nom", "nombre", "nome"})
_PARTS_OF_NAMES = frozenset({"first", "last", "middle", "given", "family", "maiden"})
_OF_MACHINES = frozenset({"ip", "email", "mail", "mac", "web", "wallet", "contract", "memory", "host", "url", "server"})
_BEFORE_CODE = frozenset({"zip", "post", "postal", "pin"})
_OF_LAST = {word: hint for hint, words in _LAST.items() for word in words.split()}


def words_of(field: str) -> list[str]:
    """Return the words of a field's name, in lower case: `customerName` and `customer_name` are customer, name."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", field).casefold())


def hint_of(field: str) -> str | None:
    """Return what the name of `field` says of its values, one of the constants above, or None."""
    words = words_of(field)
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "code" and before in _BEFORE_CODE:
        return POSTCODE
    if VERSION in (_OF_LAST.get(last), _OF_LAST.get(before) if last in ("v", "release", "number") else None):
        return VERSION
    if last in _NAMES and before:
        if before in _PARTS_OF_NAMES:
            return ONE_NAME
        owner = _OF_LAST.get(before)
        return FULL_NAME if before in ("full", "real", "legal", "display") or owner in (ROLE, FULL_NAME) else THING
    found = _OF_LAST.get(last)
    if found == ADDRESS and before in _OF_MACHINES:
        return None
    return found
